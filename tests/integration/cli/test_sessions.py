"""`subagentctl sessions` and `session end` against a fake admin plane."""

import json
from typing import Any

import pytest

from subagentctl.testing import NOW, FakeAdmin, Reply, problem
from subagentctl.testing.admin import Request
from subagentctl.when import to_wire

from .conftest import Run


class Sessions:
    """An admin plane with some sessions, two on a page."""

    def __init__(self, *names: str) -> None:
        at = to_wire(NOW)
        self.rows = [
            {"session_id": name, "supervisor": "anonymous", "live_tasks": 1, "tasks": 1,
             "first_at": at, "last_sign_at": at, "lease": "none"}
            for name in names
        ]  # fmt: skip
        self.end: dict[str, Any] = {"session_id": names[0], "tasks": [], "again": False}

    def answer(self, request: Request) -> Reply | None:
        if request.method == "POST":
            return Reply(body=self.end)
        start = int(request.query.get("cursor", "0"))
        end = start + min(int(request.query["limit"]), 2)
        more = str(end) if end < len(self.rows) else None
        return Reply(body={"sessions": self.rows[start:end], "next_cursor": more})


@pytest.fixture
def sessions(admin: FakeAdmin) -> Sessions:
    found = Sessions("s1", "s2", "s3", "s4", "s5")
    admin.script = found.answer
    return found


def test_all_pages_are_shown(run: Run, admin: FakeAdmin, sessions: Sessions) -> None:
    result = run("sessions")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [f"s{n}" in result.stdout for n in range(1, 6)] == [True] * 5
    assert "5 sessions, 5 with live tasks." in result.stdout
    assert [request.query.get("cursor") for request in admin.requests] == [None, "2", "4"]


def test_a_limit_is_kept_and_said(run: Run, sessions: Sessions) -> None:
    result = run("sessions", "--limit", "3")
    assert "s3" in result.stdout and "s4" not in result.stdout
    assert "More were left out by --limit" in result.stdout
    told = json.loads(run("sessions", "--limit", "3", "-o", "json").stdout)
    assert (len(told["sessions"]), told["more"]) == (3, True)


def test_filters_are_passed_on(run: Run, admin: FakeAdmin, sessions: Sessions) -> None:
    run("sessions", "--agent", "coder", "--supervisor", "ann", "--upstream", "up", "--all")
    assert {"agent": "coder", "supervisor": "ann", "upstream": "up", "all": "true"}.items() <= (
        admin.requests[0].query.items()
    )


def test_a_list_for_programs(run: Run, sessions: Sessions) -> None:
    assert run("sessions", "-o", "csv").stdout.splitlines()[1].startswith("s1,anonymous,1,1,")


def test_an_end_is_sent_with_its_reason_and_told(
    run: Run, admin: FakeAdmin, sessions: Sessions
) -> None:
    result = run("session", "end", "a/b…", "--reason", "loops", "--supervisor", "ann")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("session s1 is over. It has no live task.\n")
    [request] = admin.requests
    assert (request.path, request.body) == ("/v1/sessions/a%2Fb/end", {"reason": "loops"})
    assert request.query == {"supervisor": "ann"}
    assert json.loads(run("session", "end", "s1", "-o", "json").stdout) == sessions.end


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (
            problem(404, "session_not_found", "nothing is on record of a session 's1'"),
            4,
            "nothing is on record of a session 's1'.",
        ),
        (
            problem(
                409,
                "ambiguous_session",
                "'s1' fits several sessions; give all of the id, and the supervisor",
                candidates=[{"supervisor": who, "session_id": "s1"} for who in ("ann", "bob")],
            ),
            1,
            "'s1' fits several sessions; give all of the id, and the supervisor: "
            "s1 of ann, s1 of bob.",
        ),
    ],
)
def test_an_end_that_cannot_be_is_a_sentence(
    run: Run, admin: FakeAdmin, reply: Reply, code: int, said: str
) -> None:
    admin.script = lambda request: reply
    result = run("session", "end", "s1")
    assert (result.exit_code, result.stderr) == (code, f"subagentctl: {said}\n")


@pytest.mark.parametrize("args", [["end", " "], ["end", "s1", "-o", "csv"], ["end"]])
def test_what_makes_no_sense_is_usage(run: Run, args: list[str]) -> None:
    result = run("session", *args)
    assert (result.exit_code, result.stdout) == (2, "")


def test_something_else_that_answers_is_no_sidecar(run: Run, admin: FakeAdmin) -> None:
    admin.script = lambda request: Reply(body={"sessions": 5})
    assert run("sessions").exit_code == 3
