"""Tokens that are replaced while the sidecar runs."""

import asyncio
import logging
from pathlib import Path

import pytest

from subagent_sidecar.admin_token_keeper import AdminTokenKeeper
from subagent_sidecar.admin_tokens import AdminToken, AdminTokens, Renewal, digest_in
from subagent_sidecar.core.roles import AdminCaller, Role

OLD, NEW, HERS = "old-old-but-good-enough", "new-and-as-good-as-that", "hers-is-another-one"
ALICE = AdminCaller("alice", Role.ADMIN)


def tokens(folder: Path) -> AdminTokens:
    """Alice's stands in a file that says OLD, Beth's in one that says HERS."""
    (folder / "alice").write_text(f"{OLD}\n", "utf-8")
    (folder / "beth").write_text(HERS, "utf-8")
    return AdminTokens(
        [
            AdminToken(name=name, role=role, digest=digest_in(folder / name), file=folder / name)
            for name, role in (("alice", Role.ADMIN), ("beth", Role.VIEWER))
        ]
    )


def test_a_new_token_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    found = tokens(tmp_path)
    (tmp_path / "alice").write_text(NEW, "utf-8")
    assert found.renew() == Renewal(changed=["alice"])
    assert (found.caller(OLD), found.caller(NEW)) == (None, ALICE)
    assert found.caller(HERS) == AdminCaller("beth", Role.VIEWER)


@pytest.mark.parametrize("text", ["", "short", "has a space in the middle", "x" * 5_000])
def test_what_is_no_token_changes_nothing_and_is_not_repeated(tmp_path: Path, text: str) -> None:
    found = tokens(tmp_path)
    (tmp_path / "alice").write_text(text, "utf-8")
    done = found.renew()
    (problem,) = done.problems
    assert (done.changed, done.gone, found.caller(OLD)) == ([], [], ALICE)
    assert problem.startswith("'alice': the token in ") and (not text or text not in problem)


def test_a_token_whose_file_is_removed_lets_nobody_in_until_there_is_another(
    tmp_path: Path,
) -> None:
    found = tokens(tmp_path)
    (tmp_path / "alice").unlink()
    assert found.renew() == Renewal(gone=["alice"])
    assert found.renew() == Renewal()
    assert (found.caller(OLD), found.caller("")) == (None, None)
    (tmp_path / "beth").unlink()
    found.renew()
    assert found.needed and found.caller(HERS) is None
    (tmp_path / "alice").write_text(NEW, "utf-8")
    found.renew()
    assert found.caller(NEW) == ALICE


def test_two_files_may_change_places(tmp_path: Path) -> None:
    found = tokens(tmp_path)
    (tmp_path / "alice").write_text(HERS, "utf-8")
    (tmp_path / "beth").write_text(OLD, "utf-8")
    assert found.renew() == Renewal(changed=["alice", "beth"])
    assert found.caller(HERS) == ALICE


def test_a_token_of_two_is_that_of_the_first(tmp_path: Path) -> None:
    found = tokens(tmp_path)
    (tmp_path / "beth").write_text(OLD, "utf-8")
    assert found.renew().problems == ["'beth' has the token of 'alice', and lets nobody in"]
    assert (found.caller(OLD), found.caller(HERS)) == (ALICE, None)


async def test_a_file_that_changed_is_read_once_it_has_come_to_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = tokens(tmp_path)
    over, looks = asyncio.Event(), 0

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            (tmp_path / "alice").write_text(NEW, "utf-8")
        if looks == 3:  # seen once, and perhaps not yet whole
            assert found.caller(OLD) == ALICE
        if looks == 5:
            over.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(AdminTokenKeeper(found, sleep=sleep).watch())
        await over.wait()
        watching.cancel()
    assert found.caller(NEW) == ALICE
    (line,) = [each.getMessage() for each in caplog.records]
    assert line == "admin token renewed (a file has changed): alice"


async def test_it_is_read_at_once_when_that_is_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = tokens(tmp_path)
    (tmp_path / "alice").write_text(NEW, "utf-8")
    (tmp_path / "beth").unlink()
    await AdminTokenKeeper(found).renew(why="SIGHUP")
    assert found.caller(NEW) == ALICE
    (line,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert line == "admin token 'beth' lets nobody in any more (SIGHUP): its file is gone"
    (tmp_path / "alice").write_text("short", "utf-8")
    await AdminTokenKeeper(found).renew(why="SIGHUP")
    line = caplog.records[-1].getMessage()
    assert line.startswith("admin token not renewed (SIGHUP): 'alice': the token in ")
