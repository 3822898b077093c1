"""`subagentctl report` against a fake admin plane."""

import json

import pytest

from subagentctl.testing import FakeAdmin, Reply

from .conftest import Run

REPORT = {
    "since": "2026-11-16T03:00:00.000000Z",
    "agents": [{"agent_name": "coder", "ended_runs": 3, "endings": {"success": 3}}],
    "advice": [{"kind": "keep_inline", "message": "coder: it is quick"}],
}


@pytest.fixture
def reporting(admin: FakeAdmin) -> FakeAdmin:
    admin.script = lambda request: Reply(body=REPORT)
    return admin


def test_a_report_has_tables_and_advice(run: Run, reporting: FakeAdmin) -> None:
    result = run("report")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("AGENT")
    assert "keep inline    coder: it is quick." in result.stdout
    assert reporting.requests[0].path == "/v1/report" and reporting.requests[0].query == {}


def test_what_is_asked_is_passed_on(run: Run, reporting: FakeAdmin) -> None:
    run("report", "--since", "1d", "--agent", "coder", "--upstream", "up", "--session", "s1",
        "--break-even", "1m")  # fmt: skip
    assert reporting.requests[0].query == {
        "since": "2026-11-22T03:00:00Z",
        "agent": "coder",
        "upstream": "up",
        "session": "s1",
        "break_even": "1m",
    }


def test_a_report_for_programs(run: Run, reporting: FakeAdmin) -> None:
    assert json.loads(run("report", "-o", "json").stdout) == REPORT
    header, row = run("report", "-o", "csv").stdout.splitlines()
    assert header.startswith("agent_name,started,") and row.startswith("coder,")


def test_an_answer_that_is_no_report_is_not_taken_for_one(run: Run, admin: FakeAdmin) -> None:
    admin.script = lambda request: Reply(body={"hello": "there"})
    result = run("report")
    assert result.exit_code == 3
    assert "its answer holds no agents" in result.stderr
