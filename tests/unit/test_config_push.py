"""`push` and `push_allow` of the config file."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.settings import parsed, problems

from subagent_sidecar.core.matching import Glob

SECRET = "0123456789abcdef"
ENVIRON = {"S": SECRET, "T": f"{SECRET}1 {SECRET}2", "SHORT": "short"}
GOOD = {"name": "ops", "url": "https://hooks.example.com/a?b=c", "secret_env": "S"}


def text(*targets: Any, allow: Any = ("hooks.example.com",)) -> str:
    return yaml.safe_dump({"push": list(targets), "push_allow": list(allow)})


def test_a_target_needs_a_name_a_url_and_a_secret(tmp_path: Path) -> None:
    (found,) = parsed(tmp_path, text(GOOD), environ=ENVIRON).push
    assert (found.target.name, found.url, found.secrets) == ("ops", GOOD["url"], (SECRET.encode(),))
    assert found.target.statuses == {"success", "error", "timeout", "cancelled", "waiting"}


def test_a_target_may_say_all(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text(SECRET, "utf-8")
    more = {
        "secret_env": ["S", "T"],
        "secret_file": "secrets",
        "agents": ["a*"],
        "sessions": ["s"],
        "supervisors": ["x", "y"],
        "events": ["error"],
    }
    (found,) = parsed(tmp_path, text({**GOOD, **more}), environ=ENVIRON).push
    assert len(found.secrets) == 3
    assert found.secret_file == tmp_path / "secrets"
    assert found.target.agents == (Glob("a*"),)
    assert found.target.supervisors == (Glob("x"), Glob("y"))
    assert found.target.statuses == {"error"}


def test_neither_the_secret_nor_the_url_is_shown(tmp_path: Path) -> None:
    shown = repr(parsed(tmp_path, text(GOOD), environ=ENVIRON))
    assert SECRET not in shown and "b=c" not in shown


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"odd": 1}, "push.0.odd", "unknown key; known: name, url, secret_env"),
        ({"name": None}, "push.0", "`name` is missing"),
        ({"name": "a b"}, "push.0.name", "has letters"),
        ({"url": 1}, "push.0", "`url` is missing, or is no text"),
        ({"url": "ftp://hooks.example.com/"}, "push.0.url", "must be a URL such as"),
        ({"url": "https://hooks.example.com:x/"}, "push.0.url", "must be a URL"),
        ({"url": "https://a:b@hooks.example.com/"}, "push.0.url", "must not hold credentials"),
        ({"url": "https://hooks.example.com/ x"}, "push.0.url", "must be ASCII without spaces"),
        ({"url": "https://other.example.com/"}, "push.0.url", "names neither other.example.com"),
        ({"url": "http://127.0.0.1:1/"}, "push.0.url", "names neither 127.0.0.1"),
        ({"secret_env": None}, "push.0.secret_env", "must be the name of a variable"),
        ({"secret_env": "MISSING"}, "push.0.secret_env", "the environment has no MISSING"),
        ({"secret_env": "SHORT"}, "push.0.secret_env", "fewer than 16 bytes"),
        ({"secret_file": "nowhere"}, "push.0.secret_file", "cannot be read: No such file"),
        ({"agents": "a"}, "push.0.agents", "must be a list of names"),
        ({"events": ["ended"]}, "push.0.events", "must be a list of: success, error"),
        ({"events": []}, "push.0.events", "must be a list of: success, error"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, change: dict[str, Any], key: str, words: str
) -> None:
    (problem,) = problems(tmp_path, text({**GOOD, **change}), environ=ENVIRON)
    assert f" {key}: " in problem and words in problem
    assert "short" not in problem and SECRET not in problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff" * 20, "is not UTF-8 text"),
        (SECRET.encode() * 1_000, "is longer than 4,096 bytes"),
        (b"", "has no secret in it"),
    ],
)
def test_a_file_without_good_secrets_is_told_and_not_repeated(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "secrets").write_bytes(content)
    (problem,) = problems(tmp_path, text({**GOOD, "secret_file": "secrets"}), environ=ENVIRON)
    assert problem.endswith(f"push.0.secret_file: {words}") and SECRET not in problem


def test_a_secret_does_not_stand_in_the_file(tmp_path: Path) -> None:
    bare = {key: value for key, value in GOOD.items() if key != "secret_env"}
    found = problems(tmp_path, text({**bare, "secret": SECRET}), environ=ENVIRON)
    assert len(found) == 2
    assert any("`secret_env` or `secret_file` is missing" in problem for problem in found)


def test_names_stand_once_and_the_list_has_to_make_sense(tmp_path: Path) -> None:
    (twice,) = problems(tmp_path, text(GOOD, GOOD), environ=ENVIRON)
    assert "'ops' stands twice" in twice
    (allow,) = problems(tmp_path, text(GOOD, allow=["10.0.0.1/8"]), environ=ENVIRON)
    assert "is not a range" in allow
    (mapping,) = problems(tmp_path, "push: {}")
    assert "must be a list of targets" in mapping
