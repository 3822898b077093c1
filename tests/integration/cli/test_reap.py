"""`subagentctl reap` against a fake admin plane."""

import csv
import io
import json
from typing import Any

import pytest

from subagentctl.testing import FakeAdmin, Reply, problem
from subagentctl.testing.admin import Request

from .conftest import Run

STALE: dict[str, Any] = {
    "task_id": "019a2065-0000-7000-8000-00000000abcd",
    "agent_name": "researcher",
    "session_id": "s1",
    "supervisor": "anonymous",
    "upstream": "default",
    "status": "running",
    "run_id": "r1",
    "rule": "clocks",
    "policy": "p",
    "mode": "enforce",
    "key": "run",
    "action": "request_cancel",
    "evidence": "running for 31 min, rule clocks allows 30 min",
    "held": False,
    "outcome": None,
    "over": False,
    "detail": None,
}
HELD = {**STALE, "task_id": "x-far", "held": True, "detail": "its server does not tell"}
LEFT = {**STALE, "task_id": "x-left", "action": "abandon", "rule": "orphans", "evidence": "alone"}
WOULD = {**STALE, "task_id": "x-would", "mode": "observe", "rule": "strict"}


def scripted(admin: FakeAdmin, *reaps: dict[str, Any]) -> None:
    def answer(request: Request) -> Reply | None:
        if request.path != "/v1/reap":
            return None
        return Reply(body={"dry_run": "dry_run" in request.query, "reaps": reaps})

    admin.script = answer


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_plan_is_a_table_with_the_evidence(run: Run, admin: FakeAdmin) -> None:
    scripted(admin, STALE, HELD, LEFT, WOULD)
    result = run("reap", "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "")
    header, first, *_, last = lines(result.stdout)
    assert header.startswith("ID AGENT STATUS RULE ACTION EVIDENCE")
    assert first.startswith("0000abcd researcher running clocks cancel running for 31 min, rule")
    assert "(strict)" in result.stdout
    assert last == "2 tasks to end, 1 held for now, 1 left to itself, 1 observed only."
    [asked] = admin.requests
    assert (asked.method, asked.query, asked.body) == ("POST", {"dry_run": "true"}, {"wait_s": 20})


def test_by_hand_it_says_how_each_ended(run: Run, admin: FakeAdmin) -> None:
    done = {**STALE, "outcome": "cancelled", "over": True, "detail": "the server confirms"}
    scripted(admin, done, {**LEFT, "outcome": "left to itself"})
    result = run("reap", "--wait", "5")
    assert result.exit_code == 0
    assert lines(result.stdout)[-1] == "1 cancelled, 1 left to itself."
    assert "OUTCOME" in result.stdout and " cancelled " in result.stdout
    assert admin.requests[0].query == {} and admin.requests[0].body == {"wait_s": 5}


def test_what_is_not_over_is_a_failure(run: Run, admin: FakeAdmin) -> None:
    scripted(admin, {**STALE, "outcome": "asked", "detail": "not verified yet"})
    result = run("reap")
    assert result.exit_code == 1
    assert lines(result.stdout)[-1] == "1 asked. The sidecar keeps trying."


@pytest.mark.parametrize("args", [("reap",), ("reap", "--dry-run")])
def test_nothing_to_end_is_said(run: Run, admin: FakeAdmin, args: tuple[str, ...]) -> None:
    scripted(admin)
    result = run(*args)
    assert (result.exit_code, result.stdout) == (
        0,
        "Nothing is to end: no live task is stale or orphaned by the rules in force.\n",
    )


@pytest.mark.parametrize("reaps", [(), (STALE,)])
def test_that_nothing_ends_by_itself_is_said(
    run: Run, admin: FakeAdmin, reaps: tuple[dict[str, Any], ...]
) -> None:
    answers = [{"dry_run": True, "reap_interval_s": s, "reaps": reaps} for s in (5.0, 0, 0.0)]
    admin.script = lambda _: Reply(body=answers[len(admin.requests) - 1])
    told = [run("reap", "--dry-run").stdout for _ in answers]
    assert ["ends nothing by itself (reap_interval is 0)" in text for text in told] == [
        False,
        True,
        True,
    ]


def test_programs_get_all_there_is(run: Run, admin: FakeAdmin) -> None:
    scripted(admin, STALE)
    assert json.loads(run("reap", "--dry-run", "-o", "json").stdout) == {
        "dry_run": True,
        "reaps": [STALE],
    }
    [row] = csv.DictReader(io.StringIO(run("reap", "--dry-run", "-o", "csv").stdout))
    assert row.keys() == STALE.keys()
    assert (row["evidence"], row["over"]) == (STALE["evidence"], "false")


def test_a_refusal_is_one_sentence(run: Run, admin: FakeAdmin) -> None:
    admin.script = lambda request: problem(503, "store_unavailable", "The file is locked.")
    result = run("reap")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1 and "The file is locked" in result.stderr
