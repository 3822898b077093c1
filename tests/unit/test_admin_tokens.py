"""Tokens that are replaced while the sidecar runs."""

import logging
from pathlib import Path

import pytest

from subagent_sidecar.admin_tokens import AdminToken, AdminTokens, Renewal, digest_in
from subagent_sidecar.core.roles import AdminCaller, Role
from subagent_sidecar.renewals import renew_admin_tokens

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


async def test_what_became_of_each_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = tokens(tmp_path)
    (tmp_path / "alice").write_text(NEW, "utf-8")
    (tmp_path / "beth").unlink()
    await renew_admin_tokens(found, "SIGHUP")
    assert found.caller(NEW) == ALICE
    assert [each.getMessage() for each in caplog.records] == [
        "admin token renewed (SIGHUP): alice",
        "admin token 'beth' lets nobody in any more (SIGHUP): its file is gone",
    ]
    (tmp_path / "alice").write_text("short", "utf-8")
    await renew_admin_tokens(found, "SIGHUP")
    line = caplog.records[-1].getMessage()
    assert line.startswith("admin token not renewed (SIGHUP): 'alice': the token in ")
