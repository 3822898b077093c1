"""One task as a page."""

from datetime import timedelta

import pytest

from subagentctl.client import JsonObject
from subagentctl.listing import TaskPage
from subagentctl.look import Look
from subagentctl.record import task_page
from subagentctl.render import View
from subagentctl.testing import NOW, demo_events, make_run, make_task
from subagentctl.when import to_wire

PLAIN = View(Look(), NOW)


def page(task: JsonObject, *events: JsonObject, view: View = PLAIN) -> list[str]:
    return task_page(TaskPage(task=task, events=list(events)), view)


def value(task: JsonObject, key: str) -> str | None:
    """What stands behind `key`, None when the key is left out."""
    found = [line for line in page(task) if line.split(" ")[0] == key]
    return found[0][len(key) :].strip() if found else None


def ago(**span: float) -> str:
    return to_wire(NOW - timedelta(**span))


def test_the_page_begins_with_aligned_keys_and_values() -> None:
    lines = page(make_task())
    assert lines[:3] == [
        "task        01a2064f-5864-7545-89d1-a55134a759fd",
        "status      ● running for 1m 0s",
        "agent       researcher",
    ]


@pytest.mark.parametrize(
    ("changes", "key", "shown"),
    [
        ({"status": "success"}, "status", "success"),
        (
            {"expires_at": ago(minutes=-29), "run_deadline": ago(minutes=-29)},
            "expires",
            "2026-11-23 03:29:00 UTC (in 29m 0s, by the clock run)",
        ),
        (
            {"expires_at": ago(seconds=3), "run_deadline": ago(minutes=-29)},
            "expires",
            "2026-11-23 02:59:57 UTC (3.0s ago, by the clock waiting)",
        ),
        ({"expires_at": None}, "expires", None),
        ({"status": "pending", "started_at": None}, "status", "● pending for 1m 0s"),
        ({"unknown_since": ago(seconds=5)}, "status", "● running? for 1m 0s"),
        (
            {"unknown_since": ago(seconds=5)},
            "unknown",
            "since 2026-11-23 02:59:55 UTC (5s ago): its server does not tell any more",
        ),
        ({"unknown_since": ago(seconds=5), "status": "error"}, "unknown", None),
        ({"runs": [make_run()]}, "cancel", None),
        (
            {"runs": [make_run(cancel_asked_at=ago(seconds=9), cancel_asked_by="operator")]},
            "cancel",
            "asked for 2026-11-23 02:59:51 UTC (9s ago), by operator; not seen to come true yet",
        ),
        (
            {"runs": [make_run(status="interrupted", cancel_asked_at=ago(seconds=9))]},
            "cancel",
            None,
        ),
        (
            {"runs": [make_run(status="interrupted", cancel_unconfirmed_at=ago(seconds=9))]},
            "cancel",
            "not obeyed: the run was seen to go on 2026-11-23 02:59:51 UTC (9s ago). "
            "The sidecar keeps trying; to be sure, end it on upstream default itself",
        ),
        ({"status": "pending", "started_at": 0, "created_at": ""}, "status", "● pending"),
        ({}, "created", "2026-11-23 02:59:00 UTC (1m ago)"),
        ({}, "ended", None),
        (
            {"ended_at": ago(seconds=10), "ended_by": "operator"},
            "ended",
            "2026-11-23 02:59:50 UTC (10s ago), by operator, after 50s",
        ),
        ({"ended_at": ago(seconds=10), "created_at": None}, "ended", "2026-11-23 02:59:50 UTC (10"),
        ({}, "parent", None),
        ({"parent_task_id": "p", "depth": 2}, "parent", "p (this one at depth 2)"),
        ({"depth": 1}, "parent", "not known (this one at depth 1)"),
        ({}, "reason", None),
        ({"reason": "over\nbudget"}, "reason", "over budget"),
        ({}, "usage", "—"),
        (
            {"usage": {"input_tokens": 11480, "output_tokens": 9, "cost_usd": 0.5, "model": "m"}},
            "usage",
            "11,480 tokens in, 9 tokens out, $0.50, m",
        ),
        (
            {"usage": {"input_tokens": 1, "output_tokens": 2, "cost_usd": None, "model": None}},
            "usage",
            "1 tokens in, 2 tokens out, cost unknown",
        ),
        (
            {"usage": {"input_tokens": 9, "cache_read_tokens": 5_000, "cache_write_tokens": 7}},
            "usage",
            "9 tokens in (5,000 from cache, 7 into cache)",
        ),
        (
            {"usage": {"input_tokens": 9, "output_tokens": 1, "cache_read_tokens": 0}},
            "usage",
            "9 tokens in, 1 tokens out",
        ),
    ],
)
def test_a_value_is_shown_where_it_is_known(
    changes: JsonObject, key: str, shown: str | None
) -> None:
    found = value(make_task(**changes), key)
    assert found is not None and found.startswith(shown) if shown else found is None


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (0, "$0.00"),
        ("0.0147", "$0.0147"),
        (0.014_726, "$0.01473"),
        (0.000_012, "$0.000012"),
        (0.000_000_4, "<$0.000001"),
        (-1, "<$0.000001"),
        (0.5, "$0.50"),
        (1.2, "$1.20"),
        (1.234_56, "$1.235"),
        (9.999_96, "$10.00"),
        (10, "$10.00"),
        (1234.5678, "$1,234.57"),
    ],
)
def test_what_one_task_cost_is_told_with_four_digits_that_count(cost: object, shown: str) -> None:
    assert value(make_task(usage={"cost_usd": cost}), "usage") == shown


def test_a_long_purpose_goes_on_under_itself() -> None:
    lines = page(make_task(purpose="word " * 12), view=View(Look(width=44), NOW))
    start = next(i for i, line in enumerate(lines) if line.startswith("purpose"))
    assert lines[start] == "purpose     word word word word word word"
    assert lines[start + 1] == "            word word word word word word"


def test_runs_are_a_table_without_the_columns_nobody_needs() -> None:
    lines = page(make_task(runs=[make_run()]))
    start = lines.index("RUNS")
    assert lines[start + 1].split() == ["RUN", "KIND", "STATUS", "STARTED", "AT", "WORK"]
    assert lines[start + 2].split()[1:] == ["start", "running", "1m", "ago", "1m", "0s"]


def test_a_replaced_run_names_the_one_that_replaced_it() -> None:
    old = make_run("old", status="cancelled", superseded_by="new", ended_at=ago(seconds=30))
    lines = page(make_task(runs=[old, make_run("new", kind="update", strategy="interrupt")]))
    start = lines.index("RUNS")
    assert lines[start + 1].endswith("REPLACED BY")
    assert " ".join(lines[start + 2].split()) == "old start cancelled — 1m ago 30s new"
    assert " ".join(lines[start + 3].split()) == "new update running interrupt 1m ago 1m 0s"


@pytest.mark.parametrize(
    ("changes", "took"),
    [
        ({"started_at": None}, "—"),
        ({"status": "cancelled", "ended_at": None}, "—"),
        ({"status": "success", "ended_at": ago(seconds=57.5)}, "2.5s"),
        # never seen at work, only at its end
        ({"status": "error", "started_at": ago(seconds=58), "ended_at": ago(seconds=58)}, "<2.0s"),
        ({"status": "running"}, "1m 0s"),
    ],
)
def test_how_long_a_run_took_is_not_guessed(changes: JsonObject, took: str) -> None:
    lines = page(make_task(runs=[make_run(**changes), make_run(started_at=ago(hours=1))]))
    assert lines[lines.index("RUNS") + 2].endswith(took)


def test_the_timeline_counts_from_the_creation_of_the_task() -> None:
    task = make_task(runs=[make_run("old"), make_run()])
    lines = page(task, *demo_events(task))
    start = lines.index("TIMELINE")
    assert lines[start + 1 :] == [
        "  AFTER  RUN       WHAT HAPPENED",
        "  +0.0s  13a1e57e  started",
        "  +1.0s  13a1e57e  running",
        "   +41s  13a1e57e  follow-up sent, interrupting the run before it",
        "   +42s  13a1e57e  running",
    ]


def test_the_timeline_of_one_run_does_not_name_it() -> None:
    task = make_task(runs=[make_run()])
    lines = page(task, demo_events(task)[0])
    assert lines[-2:] == ["  AFTER  WHAT HAPPENED", "  +0.0s  started"]


def test_an_event_without_a_time_is_still_told() -> None:
    lines = page(make_task(created_at=None), {"kind": "started"}, {"kind": "status", "at": "?"})
    assert lines[-2:] == ["  started", "  task is unknown"]


def test_a_task_without_runs_and_events_has_neither_heading() -> None:
    assert not {"RUNS", "TIMELINE"} & set(page(make_task()))
