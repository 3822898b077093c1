"""Policy files that change are taken up once they have come to rest (failures.md 11)."""

import os
from pathlib import Path

import pytest
from tests.support.policies.keeping import BAD, Desk, policy


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_changed_file_is_taken_up_once_it_has_come_to_rest(desk: Desk) -> None:
    with desk.watching():
        desk.write(desk.second, policy("half"))
        await desk.looks.one()
        assert desk.rules == ["a", "b", "c"]  # it may be written still
        desk.write(desk.second, policy("half", "whole"))
        await desk.looks.one()
        assert desk.rules == ["a", "b", "c"]
        await desk.looks.one()
        assert desk.rules == ["a", "half", "whole"]


async def test_half_a_file_that_can_be_read_is_followed_by_the_whole(desk: Desk) -> None:
    with desk.watching():
        desk.write(desk.second, policy("half"))
        await desk.looks.one()
        await desk.looks.one()
        assert desk.rules == ["a", "half"]
        desk.write(desk.second, policy("half", "whole"))
        await desk.looks.one()
        await desk.looks.one()
        assert desk.rules == ["a", "half", "whole"]


async def test_a_bad_file_is_complained_of_once_and_the_good_one_after_it_is_taken_up(
    desk: Desk,
) -> None:
    with desk.watching():
        desk.write(desk.second, BAD)
        for _ in range(5):
            await desk.looks.one()
        assert (desk.keeper.state.failures, desk.rules) == (1, ["a", "b", "c"])
        desk.write(desk.second, policy("d"))
        await desk.looks.one()
        await desk.looks.one()
        assert (desk.keeper.state.failed, desk.rules) == (None, ["a", "d"])


async def test_a_file_that_does_not_change_is_not_read(desk: Desk) -> None:
    with desk.watching():
        for _ in range(5):
            await desk.looks.one()
    assert (desk.keeper.state.reloads, desk.keeper.state.failures) == (0, 0)


async def test_what_a_reload_has_read_already_is_no_news(desk: Desk) -> None:
    with desk.watching():
        desk.write(desk.second, policy("d"))
        await desk.keeper.reload(why="a test")
        for _ in range(3):
            await desk.looks.one()
    assert desk.keeper.state.reloads == 1


async def test_a_file_that_was_replaced_by_a_rename_is_taken_up(desk: Desk, tmp_path: Path) -> None:
    """Of the same size and the same age."""
    stamp = desk.second.stat().st_mtime_ns
    other = tmp_path / "other"
    other.write_text(policy("b", "d"), "utf-8")
    os.utime(other, ns=(stamp, stamp))
    assert other.stat().st_size == desk.second.stat().st_size
    with desk.watching():
        other.replace(desk.second)
        await desk.looks.one()
        await desk.looks.one()
    assert desk.rules == ["a", "b", "d"]


async def test_a_link_that_leads_elsewhere_is_taken_up(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: first.yaml -> ..data/first.yaml, ..data -> ..2026."""
    for name, rule in (("..old", "a"), ("..new", "z")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "first.yaml").write_text(policy(rule), "utf-8")
        os.utime(tmp_path / name / "first.yaml", ns=(10**18, 10**18))
    (tmp_path / "..data").symlink_to("..old")
    mount = tmp_path / "mount"
    mount.mkdir()
    desk = Desk(mount)
    desk.first.unlink()
    desk.first.symlink_to(tmp_path / "..data" / "first.yaml")
    with desk.watching():
        await desk.looks.one()
        await desk.looks.one()
        assert desk.rules == ["a", "b", "c"]
        (tmp_path / "..tmp").symlink_to("..new")
        (tmp_path / "..tmp").replace(tmp_path / "..data")
        await desk.looks.one()
        await desk.looks.one()
        assert desk.rules == ["z", "b", "c"]
