"""A tree of tasks as a waterfall."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from subagentctl.client import JsonObject
from subagentctl.look import Look
from subagentctl.render import View
from subagentctl.testing import NOW, make_run, make_task
from subagentctl.text import width
from subagentctl.trace_view import trace_lines
from subagentctl.traces import Trace
from subagentctl.when import to_wire

ROOT, CHILD, LEAF = (f"01a2064f-000{n}-7545-89d1-0000000000a{n}" for n in (1, 2, 3))
WIDE = Look(width=78)


def ago(minutes: float) -> str:
    return to_wire(NOW - timedelta(minutes=minutes))


def ran(created: float, started: float | None, ended: float | None, **more: Any) -> JsonObject:
    """A run, by how many minutes ago."""
    status = "success" if ended is not None else "running" if started is not None else "pending"
    moments = {"created_at": created, "started_at": started, "ended_at": ended}
    told = {key: None if value is None else ago(value) for key, value in moments.items()}
    return make_run(**{"status": status, **told, **more})


def task(task_id: str, *runs: JsonObject, parent: str | None = None, **more: Any) -> JsonObject:
    last = runs[-1] if runs else {}
    told = {
        "status": last.get("status", "pending"),
        "created_at": runs[0]["created_at"] if runs else ago(1),
        "ended_at": last.get("ended_at"),
        "agent_name": f"agent-{task_id[-1]}",
        "parent_task_id": parent,
    }
    return make_task(task_id, runs=list(runs), **{**told, **more})


def lines(
    *tasks: JsonObject, look: Look = WIDE, spans: int = 10, external: Any = (), **more: Any
) -> list[str]:
    told: dict[str, Any] = {
        "trace_id": "7b8e6f0a5c0f4d0b9d2f7a1c3e5d7f90",
        "asked": "",
        "now": to_wire(NOW),
        "tasks": list(tasks),
        "total": len(tasks),
        "more": False,
        "events": [],
        "refusals": [],
        "spans": external,
    }
    # The clock of this machine plays no part where the sidecar tells its own.
    view = View(look, datetime.fromisoformat("1999-01-01T00:00:00Z"))
    return trace_lines(Trace(**{**told, **more}), view, spans=spans)


def test_a_tree_is_a_bar_for_each_task_on_one_scale() -> None:
    told = lines(
        task(ROOT, ran(10, 9, None)),
        task(CHILD, ran(8, 7, 4), parent=ROOT),
        task(LEAF, ran(6, 6, 5, status="error"), parent=CHILD),
    )
    assert told == [
        "trace   7b8e6f0a5c0f4d0b9d2f7a1c3e5d7f90",
        "tree    3 tasks, 1 live; 10m 0s so far, since 2026-11-23 02:50:00 UTC",
        "",
        "TASK         ID        STATUS     TOOK  0s      2m     4m      6m     8m",
        "agent-1      000000a1  running  10m 0s  ░░░██████████████████████████████████▶",
        "└ agent-2    000000a2  success   4m 0s         ░░░░████████████",
        "  └ agent-3  000000a3  error     1m 0s                 ████",
        "",
        "░ queued   █ at work   ▶ goes on",
    ]


def test_of_a_task_with_follow_ups_each_run_has_a_line() -> None:
    first = ran(10, 10, 6, superseded_by="x", status="interrupted")
    told = lines(task(ROOT, first, ran(6, 6, 2, kind="update", run_id="run-2")))
    assert told[1] == "tree    1 task, none live; 8m 0s, 2026-11-23 02:50:00 to 02:58:00 UTC"
    assert [line[:38].rstrip() for line in told[4:7]] == [
        "agent-1  000000a1  success      8m 0s",
        "  run 1  13a1e57e  interrupted  4m 0s",
        "  run 2  run-2     success      4m 0s",
    ]


def test_of_many_runs_the_newest_are_shown_and_how_many_there_are() -> None:
    runs = [ran(20 - n, 20 - n, 19 - n, run_id=f"run-{n + 1}") for n in range(8)]
    told = [line.split("  ")[1] for line in lines(task(ROOT, *runs))[5:10]]
    assert told == ["run 4 (of 8)", "run 5", "run 6", "run 7", "run 8"]


# (the task, what its bar is made of, its status)
BARS: list[tuple[JsonObject, str, str]] = [
    (task(ROOT, ran(10, None, None)), "░▶", "pending"),
    (task(ROOT, ran(10, 10, 8), status="waiting", ended_at=None), "█▒▶", "waiting"),
    (task(ROOT, ran(10, 10, None), unknown_since=ago(5)), "█?▶", "running?"),
    (task(ROOT, in_doubt=True), "░▶", "in doubt"),
    (
        task(ROOT, ran(9, 9, 8, status="interrupted", cancel_unconfirmed_at=ago(7))),
        "█▶",
        "interrupted!",
    ),
    (task(ROOT, ran(10, 5, 5)), "█", "success"),  # never seen at work
    (task(ROOT, ran(10, None, 5)), "█", "success"),
    (task(ROOT, ran(5, 9, 3)), "█", "success"),  # its server's clock is another one
    (task(ROOT, ran(5, 4, 5)), "█", "success"),
    (task(ROOT, ran(-5, -5, None)), "▶", "running"),
]


@pytest.mark.parametrize(("given", "parts", "status"), BARS)
def test_a_bar_tells_what_goes_on(given: JsonObject, parts: str, status: str) -> None:
    told = lines(given)
    assert status in told[4]
    drawn = told[4][told[3].index("0s") :]
    assert "".join(dict.fromkeys(drawn)) == parts


def event(kind: str, minutes: float, task_id: str = ROOT, **detail: Any) -> JsonObject:
    told = {"kind": kind, "at": ago(minutes), "task_id": task_id, "status": None, "run_id": "r"}
    return told | {"detail": detail}


def test_what_happened_is_marked_explained_and_told() -> None:
    refusal = event("refused", 2, "other", session=ROOT, rule="few", what="concurrent")
    refusal["detail"] |= {"current": 5, "limit": 5, "scope": "session", "scope_id": ROOT}
    told = lines(
        task(ROOT, ran(10, 10, None)),
        events=[
            event("cancel_asked", 4, by="operator", reason="too dear"),
            event("ended", 1, by="upstream"),
            event("cancel_confirmed", 1),
        ],
        refusals=[refusal],
    )
    assert told[4].endswith("██c███████!███████▶")
    assert told[6] == "█ at work   ▶ goes on   c cancel asked for   ! start refused"
    assert told[8:] == [
        "WHAT HAPPENED",
        "UTC        AFTER  TASK     ID        WHAT HAPPENED",
        "02:56:00  +6m 0s  agent-1  000000a1  cancel asked for by an operator: too dear",
        "02:58:00  +8m 0s  agent-1  000000a1  start refused by few: concurrent 5 of 5",
    ]


def test_why_something_happened_is_never_cut_off() -> None:
    reason = "because " * 20
    asked = event("cancel_asked", 4, by="operator", reason=reason)
    told = lines(task(ROOT, ran(10, 10, None)), events=[asked])
    assert sum(line.count("because") for line in told) == 20
    assert max(map(width, told)) <= 78


def test_of_many_moments_the_newest_are_told() -> None:
    asked = [event("updated", 9 - n / 10) for n in range(40)]  # six seconds apart
    told = lines(task(ROOT, ran(10, 10, None)), events=asked)
    assert "… 10 before; `subagentctl task ID` tells them of each" in told
    assert sum("follow-up sent" in line for line in told) == 30


def test_what_happened_to_several_tasks_at_once_is_told_once() -> None:
    told = lines(
        task(ROOT, ran(10, 10, None)),
        task(CHILD, ran(10, 10, None), parent=ROOT),
        events=[
            event("cancel_asked", 4, ROOT, by="operator", reason="too dear"),
            event("cancel_asked", 4, CHILD, by="operator", reason="too dear"),
            event("thread_deleted", 3, by="operator"),
        ],
        refusals=[event("refused", 2, "x", session=ROOT, rule="few") for _ in range(3)],
    )
    assert told[-3:] == [
        "02:56:00  +6m 0s  2 tasks            cancel asked for by an operator: too dear",
        "02:57:00  +7m 0s  agent-1  000000a1  thread deleted by an operator",
        "02:58:00  +8m 0s  agent-1  000000a1  start refused by few (3 times)",
    ]


def a_span(name: str, begin: float, end: float, parent: str = "outside", **more: Any) -> JsonObject:
    moments = {"start": ago(begin), "end": ago(end)}
    ids = {"span_id": name, "parent_span_id": parent, "task_id": ROOT}
    return {"name": name, "status": "unset", **ids, **moments, **more}


def test_spans_of_others_stand_under_their_task_as_a_tree() -> None:
    spans = [
        a_span("llm", 8, 7, "graph", status="error"),
        a_span("graph", 9, 5),
        a_span("tool", 7, 6, "graph"),
    ]
    told = lines(
        task(ROOT, ran(10, 10, 5)),
        task(CHILD, ran(4, 4, 3), parent=ROOT),
        spans=10,
        external=spans,
    )
    assert [line.split("─")[0].split() for line in told[5:8]] == [
        ["graph", "4m", "0s"],
        ["├", "llm", "error", "1m", "0s"],
        ["└", "tool", "1m", "0s"],
    ]


def test_of_many_spans_those_near_the_run_are_shown_then_the_longest() -> None:
    spans = [a_span("graph", 9, 5)]
    spans += [a_span(f"s{n}", 9, 9 - n / 10, "graph") for n in range(9)]
    told = lines(task(ROOT, ran(10, 10, 5)), spans=3, external=spans)
    names = [line.split("  ")[1] for line in told[5:9]]
    assert names == ["graph", "├ s7", "└ s8", "… 7 spans more"]
    assert not any("graph" in line for line in lines(task(ROOT, ran(9, 9, 5)), spans=0))


def test_the_task_that_was_asked_for_is_pointed_at() -> None:
    told = lines(task(ROOT, ran(9, 9, 5)), task(CHILD, ran(8, 8, 5), parent=ROOT), asked=CHILD)
    assert [line[:3] for line in told[3:6]] == ["   ", "   ", "▸  "]


def test_what_is_left_out_is_said() -> None:
    told = lines(task(ROOT, ran(9, 9, 5)), total=10_000, more=True)
    assert told[1].startswith("tree    10,000 tasks, none live")
    assert told[-1] == "9,999 tasks more were left out by --limit; --limit 0 shows all."


def test_links_are_shown_whole_whatever_the_width() -> None:
    url = "http://localhost:16686/trace/" + "7" * 80
    assert f"jaeger  {url}" in lines(task(ROOT, ran(9, 9, 5)), links={"jaeger": url})


def test_a_trace_that_is_gone_is_said() -> None:
    assert lines() == ["Nothing of this trace is on record any more."]


@pytest.mark.parametrize("columns", [*range(13, 60), 80, 120, 300, None])
def test_no_line_is_wider_than_the_terminal_but_for_ids_and_links(columns: int | None) -> None:
    told = lines(
        task(ROOT, ran(10, 9, None)),
        task(CHILD, ran(8, 7, 4), ran(3, 2, None), parent=ROOT, agent_name="x" * 99),
        events=[event("cancel_asked", 4, by="operator", reason="too dear")],
        external=[a_span("graph", 9, 5)],
        look=Look(width=columns),
    )
    assert columns is None or max(map(width, told[told.index("") :])) <= columns


def test_nothing_from_elsewhere_is_obeyed_by_a_terminal() -> None:
    evil = "\x1b[31m\n\u202eevil"
    told = lines(
        task(ROOT, ran(10, 9, None, run_id=evil), ran(8, 8, None), agent_name=evil),
        task(evil, parent=evil, agent_name=evil, short_id=evil, status=evil),
        trace_id=evil,
        links={evil: evil, "x": 7},
        events=[event(evil, 4, evil, by=evil, reason=evil)],
        refusals=[event("refused", 4, evil, rule=evil, session=evil)],
        external=[a_span(evil, 9, 5), a_span("no times", 9, 5, start=evil)],
    )
    assert all(line.isprintable() for line in told)


def test_records_of_another_version_are_shown_as_far_as_they_go() -> None:
    assert lines(make_task(ROOT, created_at=None, runs=[{}, {"created_at": 7}]))
    assert lines({}, {"task_id": 1}, events=[{}], refusals=[{"detail": 1}], external=[{}])
