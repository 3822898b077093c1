"""`subagentctl policy`: files in, verdicts and tables out, and nobody is asked."""

import json
from pathlib import Path

import pytest
import yaml
from tests.support.policies import EVERYTHING, problems

from subagent_sidecar.policy_file import NAMES, find, load
from subagentctl.testing import FakeAdmin

from .conftest import Run


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.yaml"
    path.write_text(EVERYTHING, "utf-8")
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "p.yaml"
    path.write_text("version: 2\nlimits:\n  - {name: a, concurent: 1, per: x}\n", "utf-8")
    return str(path)


def test_a_good_file_is_valid_and_counted(good: str, run: Run, admin: FakeAdmin) -> None:
    result = run("policy", "validate", good)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{good}: valid; 5 limits, 1 budget, 1 lifecycle rule (4 of them only observing)\n"
    )
    assert admin.requests == []


@pytest.mark.parametrize("command", ["validate", "show"])
def test_a_bad_file_is_exit_code_64_and_a_line_for_every_mistake(
    command: str, tmp_path: Path, bad: str, run: Run
) -> None:
    result = run("policy", command, bad)
    assert (result.exit_code, result.stdout) == (64, "")
    expected = problems(tmp_path, Path(bad).read_text("utf-8"))
    assert result.stderr.splitlines() == [f"subagentctl: {problem}" for problem in expected]
    assert len(expected) == 3


def test_a_file_that_is_not_there_is_a_mistake_like_others(run: Run, good: str) -> None:
    result = run("policy", "validate", good, "nowhere.yaml")
    assert result.exit_code == 64
    assert result.stderr == "subagentctl: nowhere.yaml: cannot be read: No such file or directory\n"


def test_the_verdict_can_be_had_as_json(good: str, bad: str, run: Run) -> None:
    assert json.loads(run("-o", "json", "policy", "validate", good).stdout) == {
        "files": [good],
        "valid": True,
        "problems": [],
    }
    result = run("policy", "validate", bad, "-o", "json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 64
    assert (answer["valid"], len(answer["problems"])) == (False, 3)


def test_a_mistake_cannot_speak_to_the_terminal(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "p.yaml"
    path.write_text('version: 1\n"\\e[2J": 1\n"\\ud800": 2\n', "utf-8")
    result = run("policy", "validate", str(path))
    assert result.exit_code == 64
    assert "\x1b" not in result.stderr and result.stderr.count("\n") == 2


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_policies_are_valid_by_name(name: str, run: Run) -> None:
    result = run("policy", "validate", name)
    assert (result.exit_code, result.stderr) == (0, "")


def test_without_files_the_default_policy_is_shown(run: Run) -> None:
    result = run("policy", "show")
    assert result.exit_code == 0
    assert result.stdout == run("policy", "show", "default").stdout
    assert "run-away-fan-out  enforce  50 at a time" in result.stdout


def test_what_is_shown_says_that_nothing_is_enforced(run: Run) -> None:
    shown = " ".join(run("policy", "show").stdout.split())
    assert shown.endswith("This version enforces none of it yet.")
    assert json.loads(run("policy", "show", "-o", "json").stdout)["enforced"] is False


def test_the_json_of_several_files_is_one_policy_file(tmp_path: Path, run: Run) -> None:
    answer = json.loads(run("policy", "show", "strict", "observe", "-o", "json").stdout)
    assert answer["origins"]["clocks"] == "strict"
    assert answer["origins"]["would-clocks"] == "observe"
    path = tmp_path / "both.yaml"
    path.write_text(yaml.safe_dump(answer["policy"]), "utf-8")
    both = load([find("strict"), find("observe")])
    assert [rule.name for rule in load([path]).rules] == [rule.name for rule in both.rules]


@pytest.mark.parametrize("command", ["validate", "show"])
def test_there_is_no_csv_of_a_policy(command: str, run: Run) -> None:
    result = run("-o", "csv", "policy", command, "strict")
    assert result.exit_code == 2
    assert result.stderr == (
        "subagentctl: a policy is shown as tables or, with -o json, as one document; not csv.\n"
    )


def test_validate_needs_a_file(run: Run) -> None:
    result = run("policy", "validate")
    assert result.exit_code == 2
    assert "Missing argument 'FILE...'" in result.stderr
