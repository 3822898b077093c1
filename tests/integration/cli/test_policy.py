"""`subagentctl policy`: files in, verdicts and tables out; and what a running sidecar says."""

import json
from pathlib import Path

import pytest
import yaml
from tests.support.policies import EVERYTHING, problems

from subagent_sidecar.core.policy_words import document
from subagent_sidecar.policy_file import NAMES, find, load
from subagentctl.testing import FakeAdmin, problem

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


def test_a_name_that_is_neither_a_file_nor_a_bundled_policy_is_told_those(run: Run) -> None:
    result = run("policy", "validate", "stric")
    assert (result.exit_code, result.stdout) == (64, "")
    assert result.stderr == (
        "subagentctl: stric: cannot be read: No such file or directory; and it is none of the "
        "bundled policies default, observe, strict\n"
    )


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


def test_a_bundled_policy_is_shown_by_its_name_and_nobody_is_asked(
    run: Run, admin: FakeAdmin
) -> None:
    result = run("policy", "show", "default")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "run-away-fan-out  enforce  50 at a time" in result.stdout
    assert admin.requests == []


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


# What a running sidecar has in force.


@pytest.fixture
def live(admin: FakeAdmin) -> FakeAdmin:
    strict = load([find("strict")])
    admin.policy = {
        "files": ["/etc/strict.yaml"],
        "version": "0123456789ab",
        "loaded_at": "2026-01-01T11:59:00.000000Z",
        "failed": None,
        "policy": document(strict),
        "origins": {rule.name: rule.policy for rule in strict.rules},
    }
    return admin


def test_without_files_it_shows_what_is_in_force(run: Run, live: FakeAdmin) -> None:
    result = run("policy", "show")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "/etc/strict.yaml"
    assert lines[1:-2] == run("policy", "show", "strict").stdout.splitlines()[1:-1]
    assert lines[-1].startswith("in force since 2026-01-01 11:59:00 UTC (")
    assert lines[-1].endswith(" ago), version 0123456789ab")


def test_as_json_it_is_what_the_sidecar_answers(run: Run, live: FakeAdmin) -> None:
    assert json.loads(run("policy", "show", "-o", "json").stdout) == live.policy


def test_no_rules_at_all_are_shown_as_that(run: Run, admin: FakeAdmin) -> None:
    result = run("policy", "show")
    assert result.stdout.splitlines()[0] == "no policy: all rules are off"
    assert result.exit_code == 0


def test_a_reload_that_failed_is_shown_with_every_reason(run: Run, live: FakeAdmin) -> None:
    problems = ["a.yaml:1: x", "a.yaml:2: \x1b[2Jy"]
    live.policy["failed"] = {"at": "2026-01-01T11:59:30.000000Z", "problems": problems}
    lines = run("policy", "show").stdout.splitlines()
    assert lines[-3].startswith("the last reload failed ") and "changed nothing" in lines[-3]
    assert lines[-2] == "- a.yaml:1: x"
    assert "\x1b" not in lines[-1]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"policy": None},
        {"policy": {"limits": [{"name": "x"}], "budgets": [], "lifecycle": []}, "origins": {}},
        {"policy": {"limits": 1, "budgets": [], "lifecycle": []}, "origins": {}},
    ],
)
def test_an_answer_that_makes_no_sense_is_said_to_make_none(
    odd: object, run: Run, admin: FakeAdmin
) -> None:
    admin.policy = odd  # type: ignore[assignment]  # whatever comes over the network
    result = run("policy", "show")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "no policy that this version can read" in result.stderr


def test_where_no_sidecar_answers_files_can_be_shown_and_that_is_said(
    run: Run, free_port: int
) -> None:
    result = run("policy", "show", "--server", f"http://127.0.0.1:{free_port}")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (3, "", 1)
    assert "`subagentctl policy show default`" in result.stderr


def test_a_reload_is_asked_for_and_told_in_a_sentence(run: Run, live: FakeAdmin) -> None:
    result = run("policy", "reload")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "reloaded: version 0123456789ab of /etc/strict.yaml is in force\n"
    [asked] = live.requests
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/policy/reload", {})


def test_a_reload_that_changes_nothing_says_so(run: Run, live: FakeAdmin) -> None:
    live.changed = False
    assert run("policy", "reload").stdout == (
        "read again, and nothing has changed: version 0123456789ab of /etc/strict.yaml stays in "
        "force\n"
    )


def test_a_reload_as_json_is_what_the_sidecar_answers(run: Run, live: FakeAdmin) -> None:
    answer = json.loads(run("policy", "reload", "-o", "json").stdout)
    assert answer == {**live.policy, "changed": True}


def test_without_a_subcommand_the_help_is_shown(run: Run, admin: FakeAdmin) -> None:
    result = run("policy")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: ") and "\n  replay " in result.stdout
    assert admin.requests == []


def test_a_reload_that_is_refused_says_every_problem_and_is_exit_code_64(
    run: Run, live: FakeAdmin
) -> None:
    problems = ["a.yaml:1: x", "a.yaml:2: y"]
    live.script = lambda _: problem(422, "policy_invalid", "; ".join(problems), problems=problems)
    result = run("policy", "reload")
    assert (result.exit_code, result.stdout) == (64, "")
    assert result.stderr.splitlines() == [
        "subagentctl: a.yaml:1: x",
        "subagentctl: a.yaml:2: y",
        "subagentctl: nothing was reloaded: what was in force stays in force.",
    ]
