"""`subagentctl budgets` against a fake admin plane."""

import csv
import io
import json
from typing import Any

import pytest

from subagentctl.testing import FakeAdmin, Reply, problem
from subagentctl.testing.admin import Request

from .conftest import Run

SESSION = {
    "rule": "session-usd",
    "policy": "p",
    "mode": "enforce",
    "scope": "session",
    "scope_id": "s1",
    "window": None,
    "on_exhausted": "cancel",
    "state": "near",
    "share": 0.92,
    "unpriced": 0,
    "amounts": {
        "usd": {
            "used": "4.600500",
            "limit": "5.000000",
            "raised": "0.000000",
            "remaining": "0.399500",
        },
        "run_time": {"used": 61.5, "limit": 7200.0, "raised": 0.0, "remaining": 7138.5},
    },
}
TASK = {
    **SESSION,
    "rule": "task-tokens",
    "mode": "observe",
    "scope": "task",
    "scope_id": "t1",
    "window": "1d",
    "state": "exhausted",
    "amounts": {"tokens": {"used": 12_000, "limit": 10_000, "raised": 0, "remaining": 0}},
}
ANSWER: dict[str, Any] = {
    "budgets": [TASK, SESSION],
    "rules": ["session-usd", "task-tokens", "day"],
    "more": False,
}


@pytest.fixture
def budgets(admin: FakeAdmin) -> FakeAdmin:
    def answer(request: Request) -> Reply | None:
        if request.path == "/v1/budgets":
            return Reply(body=ANSWER)
        if request.path == "/v1/budgets/raise":
            return Reply(body={"budget": SESSION})
        return None

    admin.script = answer
    return admin


def test_each_amount_is_a_line(run: Run, budgets: FakeAdmin) -> None:
    result = run("budgets")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [" ".join(line.split()) for line in result.stdout.splitlines()[:4]] == [
        "RULE PER ID WHAT SPENT LIMIT LEFT SHARE WINDOW STATE",
        "(task-tokens) task t1 tokens 12,000 10,000 0 120% 1d exhausted",
        "session-usd session s1 usd $4.6005 $5.00 $0.3995 92% — near",
        "session-usd session s1 run_time 1m 2s 2h 0m 1h 58m 1% — near",
    ]
    assert result.stdout.splitlines()[-1] == (
        "2 scopes of 3 budgets. A budget in brackets only observes. Nothing is spent of: day."
    )


def test_one_budget_is_asked_for_by_its_name(run: Run, budgets: FakeAdmin) -> None:
    assert run("budgets", "--rule", "session-usd").exit_code == 0
    assert budgets.requests[-1].query == {"rule": "session-usd"}


def test_json_is_what_the_sidecar_answers(run: Run, budgets: FakeAdmin) -> None:
    assert json.loads(run("budgets", "-o", "json").stdout) == ANSWER


def test_csv_has_a_line_for_each_amount(run: Run, budgets: FakeAdmin) -> None:
    rows = list(csv.DictReader(io.StringIO(run("-o", "csv", "budgets").stdout)))
    assert [(row["rule"], row["what"], row["used"], row["limit"]) for row in rows] == [
        ("task-tokens", "tokens", "12000", "10000"),
        ("session-usd", "usd", "4.600500", "5.000000"),
        ("session-usd", "run_time", "61.5", "7200.0"),
    ]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "No budget is in force; `subagentctl policy show` tells what is.\n"),
        (["day"], "Nothing is spent yet of day.\n"),
    ],
)
def test_nothing_to_show_says_why(run: Run, admin: FakeAdmin, rules: list[str], said: str) -> None:
    admin.script = lambda _: Reply(body={"budgets": [], "rules": rules, "more": False})
    assert run("budgets").stdout == said


def test_what_is_left_out_is_said(run: Run, admin: FakeAdmin) -> None:
    admin.script = lambda _: Reply(body={**ANSWER, "more": True})
    assert "are left out; --rule shows one budget" in run("budgets").stdout


def test_odd_numbers_are_shown_as_such(run: Run, admin: FakeAdmin) -> None:
    odd = {**SESSION, "scope_id": "\x1b[2J", "amounts": {"usd": {"used": "x"}, "new": {}}}
    admin.script = lambda _: Reply(body={"budgets": [odd], "rules": 7})
    result = run("budgets")
    assert result.exit_code == 0 and "\x1b" not in result.stdout and "?" in result.stdout


def test_a_raise_says_what_is_to_be_added(run: Run, budgets: FakeAdmin) -> None:
    result = run("budgets", "raise", "session-usd", "s1", "--usd", "2.50", "--run-time", "30m")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "session-usd (session s1): $5.00, of which $4.6005 is spent; "
        "2h 0m, of which 1m 2s is spent\n"
    )
    asked = budgets.requests[-1]
    assert (asked.method, asked.path) == ("POST", "/v1/budgets/raise")
    assert asked.body == {
        "rule": "session-usd",
        "scope_id": "s1",
        "usd": "2.50",
        "run_time": "30m",
    }


def test_a_raise_as_json_is_what_the_sidecar_answers(run: Run, budgets: FakeAdmin) -> None:
    result = run("budgets", "raise", "session-usd", "s1", "--runs", "2", "-o", "json")
    assert json.loads(result.stdout) == {"budget": SESSION}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["raise", "r", "s"], "say what to add"),
        (["raise", "r"], "Missing argument 'SCOPE_ID'"),
        (["raise", "r", "s", "--usd", "much"], "'much' is not an amount such as 5 or 0.50"),
        (["raise", "r", "s", "--usd", "-1"], "is not an amount"),
        (["raise", "r", "s", "--usd", "0.0000001"], "is not an amount"),
        (["raise", "r", "s", "--tokens", "0"], "is not in the range"),
        (["raise", "r", "s", "--usd", "1", "-o", "csv"], "not csv"),
        (["--rule", "r", "raise", "r", "s", "--usd", "1"], "--rule is for the list"),
    ],
)
def test_what_makes_no_sense_is_exit_code_2_and_asks_nobody(
    run: Run, admin: FakeAdmin, args: list[str], said: str
) -> None:
    result = run("budgets", *args)
    assert result.exit_code == 2 and said in result.stderr and result.stderr.count("\n") == 1
    assert admin.requests == []


@pytest.mark.parametrize("args", [["--rule", "x"], ["raise", "x", "s1", "--usd", "1"]])
def test_a_budget_that_is_not_there_is_exit_code_4(
    run: Run, admin: FakeAdmin, args: list[str]
) -> None:
    said = "no budget in force is called 'x'; there are: day"
    admin.script = lambda _: problem(404, "no_such_budget", said)
    result = run("budgets", *args)
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == f"subagentctl: {said}.\n"
