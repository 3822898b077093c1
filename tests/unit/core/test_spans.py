"""What is told of the record as spans, event by event."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.books import Story, at

from subagent_sidecar.core import trace_ids
from subagent_sidecar.core.changes import SessionEnded
from subagent_sidecar.core.feed import ToldEvent
from subagent_sidecar.core.model import EndedBy, Run, RunStatus, TaskRecord, UsageEntry
from subagent_sidecar.core.run_spans import error_of
from subagent_sidecar.core.spans import AT_ONCE, ENDING, Span, Teller

GIVEN = f"00-{'4' * 32}-{'5' * 16}-01"
TELLER = Teller(servers={"up": ("agents.example", 2024)})


def record(story: Story, task_id: str, usage: tuple[UsageEntry, ...] = ()) -> TaskRecord:
    runs = tuple(story.tables.runs(task_id))
    return TaskRecord(task=story.task(task_id), runs=runs, short_id=task_id, usage=usage)


def told(story: Story, teller: Teller = TELLER) -> list[Span]:
    """All spans of the story, in the order of its events."""
    records = {task_id: record(story, task_id) for task_id in story.tables.tasks}
    spans: list[Span] = []
    for event in story.tables.events:
        each = ToldEvent(event=event, agent_name="graph", session_id="s", upstream="up")
        if teller.ends_run(event):
            spans += teller.of_end(each, records.get(event.task_id or ""))
        if event.kind in AT_ONCE:
            spans += teller.at_once(each, records)
    return spans


def outline(spans: list[Span]) -> dict[str, str | None]:
    """Each span's name, and the name of what it is under."""
    names = {span.span_id: span.name for span in spans}
    assert len(names) == len(spans), "an id was used twice"
    return {span.name: names.get(span.parent_id or "", span.parent_id) for span in spans}


def succeeded(story: Story) -> None:
    story.started("r1")
    story.run_seen("r1", RunStatus.RUNNING)
    story.run_seen("r1", RunStatus.SUCCESS)


def followed_up(story: Story) -> None:
    succeeded(story)
    story.started("r2", assistant_id="other")
    story.run_seen("r2", RunStatus.SUCCESS)


def cancelled(story: Story) -> None:
    story.started("r1")
    story.cancel_asked("r1")
    story.run_seen("r1", RunStatus.INTERRUPTED)


def nested(story: Story) -> None:
    story.started("r1")
    story.started("n1", "child", body_session="t", assistant_id="inner")


def in_a_context(story: Story) -> None:
    story.started("r1", trace_parent=GIVEN)


def come_to_nothing(story: Story) -> None:
    story.released(story.admitted(trace_parent=GIVEN))


def come_to_nothing_alone(story: Story) -> None:
    story.released(story.admitted())


def session_over(story: Story) -> None:
    story.started("r1")
    at = story.task().created_at
    by = EndedBy.SUPERVISOR
    tasks = ("t", "pruned")
    story.apply(SessionEnded(supervisor="ann", session_id="s", by=by, at=at, tasks=tasks))


START, RUN, PARENT = "start_async_task graph", "invoke_agent graph", "5" * 16
TABLE: list[tuple[Callable[[Story], None], dict[str, str | None]]] = [
    (succeeded, {START: None, "run_began graph": START, RUN: START}),
    (
        followed_up,
        {
            START: None,
            "run_began graph": START,
            RUN: START,
            "update_async_task other": START,
            "invoke_agent other": "update_async_task other",
        },
    ),
    (cancelled, {START: None, "cancel_async_task graph": RUN, RUN: START}),
    (nested, {START: None, "start_async_task inner": "the run"}),
    (in_a_context, {START: PARENT}),
    (come_to_nothing, {START: PARENT}),
    (come_to_nothing_alone, {START: None}),
    (session_over, {START: None, "end_session graph": START}),
]


@pytest.mark.parametrize(("happens", "expected"), TABLE)
def test_what_is_under_what(
    happens: Callable[[Story], None], expected: dict[str, str | None]
) -> None:
    story = Story()
    happens(story)
    found = outline(told(story))
    if "the run" in expected.values():
        assert found["start_async_task inner"] == trace_ids.span_of(story.run("r1"))
        found["start_async_task inner"] = "the run"
    assert found == expected


@pytest.mark.parametrize(("happens", "expected"), TABLE)
def test_what_is_told_of_one_tree_is_one_trace(
    happens: Callable[[Story], None], expected: dict[str, str | None]
) -> None:
    story = Story()
    happens(story)
    assert len({span.trace_id for span in told(story)}) == 1


def test_every_event_of_a_run_is_read_by_one_of_the_readers() -> None:
    story = Story()
    followed_up(story)
    assert {event.kind for event in story.tables.events} - AT_ONCE - ENDING == {"status", "ended"}


# (status, who asked for its end, whether a newer run took its place) -> error.type
ENDS: list[tuple[RunStatus, EndedBy | None, bool, str | None]] = [
    (RunStatus.SUCCESS, None, False, None),
    (RunStatus.SUCCESS, EndedBy.OPERATOR, False, None),
    (RunStatus.ERROR, None, False, "error"),
    (RunStatus.ERROR, EndedBy.SUPERVISOR, False, "error"),
    (RunStatus.TIMEOUT, None, False, "timeout"),
    (RunStatus.INTERRUPTED, None, False, "interrupted"),
    (RunStatus.INTERRUPTED, None, True, None),
    (RunStatus.INTERRUPTED, EndedBy.SUPERVISOR, True, "cancelled"),
    (RunStatus.INTERRUPTED, EndedBy.OPERATOR, False, "cancelled_by_operator"),
    (RunStatus.INTERRUPTED, EndedBy.REAPER, False, "reaped"),
    (RunStatus.INTERRUPTED, EndedBy.BUDGET, False, "budget_exhausted"),
    (RunStatus.INTERRUPTED, EndedBy.SERVER_LOST, False, "server_lost"),
    (RunStatus.INTERRUPTED, EndedBy.UPSTREAM, False, "interrupted"),
]


@pytest.mark.parametrize(("status", "by", "superseded", "expected"), ENDS)
def test_why_a_run_did_not_come_to_a_result(
    status: RunStatus, by: EndedBy | None, superseded: bool, expected: str | None
) -> None:
    run = Run(
        run_id="r",
        task_id="t",
        kind="start",
        status=status,
        created_at="",
        cancel_asked_by=by,
        superseded_by="r2" if superseded else None,
    )
    assert error_of(run) == expected


def test_a_run_that_is_lost_with_its_thread_is_told_as_an_error() -> None:
    story = Story()
    story.started("r1")
    story.run_gone("r1")
    (run,) = [span for span in told(story) if span.name == RUN]
    assert (run.error, run.start, run.end) == (
        "cancelled",
        story.run("r1").created_at,
        story.run("r1").ended_at,
    )


def test_the_start_of_a_run_that_was_found_late_ends_when_the_run_was_at_work() -> None:
    story = Story()
    intent = story.admitted()
    story.second = 60
    story.accepted(intent, "r1", status=RunStatus.RUNNING)
    run = replace(story.run("r1"), started_at=at(5))
    late = replace(record(story, "t"), runs=(run,))
    (event,) = [event for event in story.tables.events if event.kind == "started"]
    (span,) = TELLER.at_once(ToldEvent(event=event), {"t": late})
    assert (event.at, span.start, span.end) == (at(61), at(1), at(5))


def entry(message_id: str, model: str | None, cost: int | None) -> UsageEntry:
    return UsageEntry(
        task_id="t",
        message_id=message_id,
        run_id="r1",
        at="",
        model=model,
        input_tokens=10,
        output_tokens=2,
        cost_micro_usd=cost,
    )


def usage_told(*entries: UsageEntry) -> dict[str, object]:
    story = Story()
    succeeded(story)
    event = story.tables.events[-2]
    assert TELLER.ends_run(event)
    (span,) = TELLER.of_end(ToldEvent(event=event), record(story, "t", entries))
    return {name: value for name, value in span.attributes.items() if "usage" in name}


def test_usage_is_the_sum_of_the_run_and_what_is_not_known_is_not_zero() -> None:
    assert usage_told() == {}
    both = usage_told(entry("a", "m", 5), entry("b", "n", 7))
    assert both == {
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 4,
        "subagent.usage.models": ["m", "n"],
        "subagent.usage.cost_micro_usd": 12,
    }
    assert "subagent.usage.cost_micro_usd" not in usage_told(entry("a", "m", None))


def test_the_purpose_is_told_only_where_content_is() -> None:
    story = Story()
    story.started("r1", purpose="a secret")
    assert "a secret" not in repr(told(story))
    (span,) = told(story, Teller(servers={}, content=True))
    assert span.attributes["subagent.task.purpose"] == "a secret"
