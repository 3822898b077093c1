"""Who gets in at the admin plane, as a file and the environment say it."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.settings import parsed, problems

from subagent_sidecar.admin_tokens import AdminTokens
from subagent_sidecar.config import Settings
from subagent_sidecar.config.admin import VARIABLE
from subagent_sidecar.core.roles import AdminCaller, Role

GOOD, OTHER = "correct-horse-battery", "staple-correct-horse"
ENVIRON = {"TOKEN": GOOD, "OTHER": OTHER}


def who(found: Settings, token: str) -> AdminCaller | None:
    return AdminTokens(found.admin_tokens).caller(token)


def test_without_tokens_none_is_needed() -> None:
    assert AdminTokens(parsed().admin_tokens).needed is False


def test_a_token_is_one_of_the_environment_or_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "watcher.token").write_text(f"{OTHER}\n", "utf-8")
    text = {
        "admin_tokens": {
            "alice": {"role": "operator", "token": "${TOKEN}"},
            "watcher": {"role": "viewer", "token_file": "watcher.token"},  # beside the config
        }
    }
    found = parsed(tmp_path, text, environ=ENVIRON)
    assert who(found, GOOD) == AdminCaller("alice", Role.OPERATOR)
    assert who(found, OTHER) == AdminCaller("watcher", Role.VIEWER)
    assert who(found, "") is None and who(found, GOOD[:-1]) is None


def test_one_variable_is_one_admin_and_no_file_is_needed() -> None:
    found = parsed(environ={VARIABLE: GOOD})
    assert who(found, GOOD) == AdminCaller("admin", Role.ADMIN)


def test_the_variable_takes_the_place_of_its_namesake_in_the_file(tmp_path: Path) -> None:
    text = {"admin_tokens": {"admin": {"role": "viewer", "token": "${OTHER}"}}}
    found = parsed(tmp_path, text, environ={**ENVIRON, VARIABLE: GOOD})
    assert (who(found, GOOD), who(found, OTHER)) == (AdminCaller("admin", Role.ADMIN), None)


def test_no_token_is_in_what_is_shown_of_the_settings() -> None:
    assert GOOD not in repr(parsed(environ={VARIABLE: GOOD}))


ONE_OF = "must be one of: viewer, operator, admin"
# (body of the token called `a`, or the whole mapping; where, what is said)
MISTAKES: list[tuple[Any, str, str]] = [
    ({"role": "admin", "token": GOOD}, ".token", "does not stand in this file, which is shown"),
    ({"role": "admin", "token": f"x${{TOKEN}}{GOOD}"}, ".token", "does not stand in this file"),
    ({"role": "admin", "token": 1}, ".token", "does not stand in this file"),
    ({"role": "admin", "token": "${NONE}"}, ".token", "the environment has no NONE"),
    ({"role": "admin", "token": "${SHORT}"}, ".token", "in SHORT has fewer than 16 characters"),
    ({"role": "admin", "token": "${DULL}"}, ".token", "in DULL repeats itself"),
    ({"role": "admin", "token": "${EMPTY}"}, ".token", "in EMPTY is empty; `openssl rand"),
    ({"role": "admin", "token": "${SPACED}"}, ".token", "only printable ASCII characters"),
    ({"role": "admin", "token_file": "none"}, ".token_file", "cannot be read (no such file"),
    ({"role": "admin", "token_file": "."}, ".token_file", "cannot be read (is a directory)"),
    ({"role": "admin", "token_file": ""}, ".token_file", "must be the path of a file"),
    ({"role": "admin", "token_file": "weak"}, ".token_file", "weak has fewer than 16 characters"),
    ({"role": "admin", "token_file": "long"}, ".token_file", "is longer than 4,096 bytes"),
    ({"role": "root", "token": "${TOKEN}"}, ".role", ONE_OF),
    ({"token": "${TOKEN}"}, ".role", ONE_OF),
    ({"role": ["admin"], "token": "${TOKEN}"}, ".role", ONE_OF),
    ({"role": "admin"}, "", "`token` or `token_file` has to be there"),
    ({"role": "admin", "token": "${TOKEN}", "token_file": "f"}, "", "and not both"),
    ({"role": "admin", "token": "${TOKEN}", "xyz": 1}, ".xyz", "unknown key; known: role, "),
    (
        {"role": "admin", "tokenfile": "x"},
        ".tokenfile",
        "unknown key; did you mean `token_file`?",
    ),
    ("admin", "", "must be a mapping with a `role`"),
]


@pytest.mark.parametrize(("body", "where", "said"), MISTAKES)
def test_a_mistake_is_named_and_no_token_is_repeated(
    tmp_path: Path, body: Any, where: str, said: str
) -> None:
    (tmp_path / "weak").write_text("hunter2\n", "utf-8")
    (tmp_path / "long").write_text("abcdefghij" * 500, "utf-8")
    bad = {"SHORT": "hunter2", "DULL": "aaaaaaaaaaaaaaaabbbb", "EMPTY": "", "SPACED": f"{GOOD} x"}
    text = {"admin_tokens": {"a": body}}
    (problem,) = problems(tmp_path, text, environ={**ENVIRON, **bad})  # type: ignore[arg-type]
    assert f"admin_tokens.a{where}: " in problem
    assert said in problem
    assert GOOD not in problem and "hunter2" not in problem


@pytest.mark.parametrize("name", ["anonymous", "a b", "", "x" * 64, "-a"])
def test_a_name_is_one_that_can_stand_in_the_record(tmp_path: Path, name: str) -> None:
    text = {"admin_tokens": {name: {"role": "admin", "token": "${TOKEN}"}}}
    (problem,) = problems(tmp_path, text, environ=ENVIRON)  # type: ignore[arg-type]
    assert "a name has letters" in problem


def test_of_one_token_it_must_be_known_whose_it_is(tmp_path: Path) -> None:
    both = {"role": "viewer", "token": "${TOKEN}"}
    text = {"admin_tokens": {"a": both, "b": both}}
    (problem,) = problems(tmp_path, text, environ=ENVIRON)  # type: ignore[arg-type]
    assert problem.endswith("admin_tokens.b: has the same token as 'a'")


@pytest.mark.parametrize("token", ["", "hunter2"])
def test_a_variable_that_is_no_good_is_not_taken_for_none(token: str) -> None:
    (problem,) = problems(environ={VARIABLE: token})
    assert problem.startswith(f"{VARIABLE}: the token ") and "hunter2" not in problem


@pytest.mark.parametrize("address", ["0.0.0.0:8461", "[::]:8461", "10.0.0.1:1", "h.example:1"])
def test_elsewhere_than_on_the_loopback_it_listens_only_with_tokens(address: str) -> None:
    flags = {"admin_listen": address}
    (problem,) = problems(flags=flags)
    assert "is not a loopback address, and without a token everyone" in problem
    assert VARIABLE in problem and "`admin_tokens`" in problem
    assert parsed(flags=flags, environ={VARIABLE: GOOD}).admin_listen.port
