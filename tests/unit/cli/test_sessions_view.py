"""Sessions as text: what a person reads at three in the morning."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from subagentctl.look import Look
from subagentctl.render import View
from subagentctl.sessions_view import end_lines, footer, nothing, sessions_csv, sessions_table
from subagentctl.testing import NOW
from subagentctl.when import to_wire


def ago(**spans: float) -> str:
    return to_wire(NOW - timedelta(**spans))


def session(**fields: Any) -> dict[str, Any]:
    usual = {
        "session_id": "01990000-aaaa-7000-8000-0000000000f1",
        "supervisor": "anonymous",
        "live_tasks": 2,
        "tasks": 7,
        "capped": False,
        "first_at": ago(hours=2),
        "last_sign_at": ago(minutes=3),
        "lease": "none",
        "tokens": 0,
        "cost_usd": None,
    }
    return {**usual, **fields}


def line(width: int | None = None, **fields: Any) -> str:
    view = View(Look(width=width), NOW)
    return " ".join(sessions_table([session(**fields)], view)[1].split())


def test_a_session_says_what_runs_and_when_it_was_last_heard_of() -> None:
    assert line() == "● 01990000-aaaa-7000-8000-0000000000f1 2 7 2h 3m ago —"
    spent = line(live_tasks=0, tokens=12_411, cost_usd="0.031200")
    assert spent.endswith(" 0 7 2h 3m ago — 12.4k tok $0.03")
    assert " 5,000+ " in line(tasks=5_000, capped=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"lease": "held", "expires_at": ago(minutes=-4, seconds=-10)}, "held, 4m left"),
        ({"lease": "held", "expires_at": None}, "held"),
        ({"lease": "expired", "expires_at": ago(seconds=30)}, "expired 30s ago"),
        ({"lease": "lapsed", "lapses_at": ago(hours=5)}, "lapsed 5h ago"),
        ({"lease": "ended", "ended_at": ago(minutes=1)}, "ended 1m ago"),
        ({"lease": "ended", "ended_at": None}, "ended"),
        ({"lease": "borrowed"}, "borrowed"),
    ],
)
def test_how_its_lease_stands(fields: dict[str, Any], words: str) -> None:
    assert line(**fields).endswith(f" 3m ago {words}")


def test_live_tasks_that_nobody_waits_for_are_alarming() -> None:
    view = View(Look(color=True), NOW)
    red = "\x1b[31m\x1b[1m●"
    assert red in sessions_table([session(lease="lapsed")], view)[1]
    assert red not in sessions_table([session(lease="held")], view)[1]
    assert red not in sessions_table([session(lease="lapsed", live_tasks=0)], view)[1]


def test_supervisors_are_told_apart_where_there_are_several() -> None:
    view = View(Look(), NOW)
    assert "SUPERVISOR" not in sessions_table([session(), session()], view)[0]
    assert "SUPERVISOR" in sessions_table([session(), session(supervisor="ann")], view)[0]


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_a_table_fits_and_keeps_what_matters(width: int) -> None:
    rows = [session(lease="lapsed", lapses_at=ago(hours=5), tokens=10_000), session(supervisor="b")]
    lines = sessions_table(rows, View(Look(width=width), NOW))
    assert all(len(each) <= width for each in lines)
    assert "lapsed 5h ago" in lines[1]


def test_the_footer_counts_and_says_what_is_left_out() -> None:
    rows = [session(), session(live_tasks=0)]
    told = footer(rows, more=True, everything=False)
    assert told.startswith("2 sessions, 1 with live tasks. More were left out by --limit")
    assert "--all shows them too" in told
    assert footer([session()], more=False, everything=True) == "1 session, 1 with live tasks."
    assert "lapsed lease" in footer([session(lease="lapsed")], more=False, everything=True)


def test_an_empty_table_says_why() -> None:
    assert "--all shows the others" in nothing(filtered=False, everything=False)
    assert "--all looks further back" in nothing(filtered=True, everything=False)
    assert nothing(filtered=True, everything=True) == "No session fits these filters."
    assert nothing(filtered=False, everything=True).startswith("No sessions yet")


def test_a_spreadsheet_runs_nothing_of_it() -> None:
    [cells] = list(csv.DictReader(io.StringIO(sessions_csv([session(session_id="=1+1")]))))
    assert cells["session_id"] == "'=1+1"
    assert cells["live_tasks"] == "2"


def test_an_end_tells_what_becomes_of_each_task() -> None:
    tasks = [
        {"short_id": "aaaa1111", "agent_name": "coder", "status": "running",
         "on_session_end": "request_cancel", "rule": "ends"},
        {"task_id": "x" * 30, "agent_name": None, "status": "pending",
         "on_session_end": "abandon", "rule": None},
        {"on_session_end": "something-new"},
    ]  # fmt: skip
    end = {"session_id": "s1", "reason": "loops", "again": False, "tasks": tasks, "more": False}
    first, blank, _, *rows = end_lines(end, Look())
    assert (first, blank) == ("session s1 is over (loops). It has 3 live tasks:", "")
    assert " ".join(rows[0].split()) == "aaaa1111 coder running it is cancelled (rule ends)"
    assert rows[1].endswith("it goes on: no rule says otherwise")
    assert rows[2].endswith("something-new")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "session s1 is over. It has no live task."),
        ({"again": True}, "session s1 is over, as it was before. It has no live task."),
        ({"more": True, "tasks": [{}]}, "session s1 is over. It has at least 1 live task:"),
    ],
)
def test_an_end_in_a_sentence(fields: dict[str, Any], said: str) -> None:
    assert end_lines({"session_id": "s1", "tasks": [], **fields}, Look())[0] == said


@pytest.mark.parametrize("tasks", [[], [{"task_id": "t"}]])
def test_an_end_says_that_a_supervisor_may_go_on_and_what_to_do_then(tasks: list[Any]) -> None:
    last = end_lines({"session_id": "my chat", "tasks": tasks}, Look())[-1]
    assert "`subagentctl freeze --session 'my chat'` refuses what it starts." in last


def test_whatever_comes_over_the_network_makes_a_table() -> None:
    odd: list[dict[str, Any]] = [{}, session(live_tasks="x", first_at=7), session(lease=None)]
    assert len(sessions_table(odd, View(Look(), NOW))) == 4
    assert "\x1b" not in "".join(
        sessions_table([session(session_id="\x1b[2J")], View(Look(), NOW))
        + end_lines({"session_id": "\x1b[2J", "reason": "\x1b[2J"}, Look())
    )
