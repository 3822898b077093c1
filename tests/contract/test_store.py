"""What every store promises (ports.Store), but for listing: see test_store_listing.py."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from tests.support.books import accepted, at, start
from tests.support.stores import END_OF_TIME

from subagent_sidecar.core.changes import (
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Change,
    Doubted,
    Polled,
    RunGone,
    RunSeen,
    ThreadCreated,
    ThreadSeen,
    WaitingCancelled,
)
from subagent_sidecar.core.model import (
    EndedBy,
    IntentKind,
    Run,
    RunStatus,
    Task,
    TaskQuery,
    TaskStatus,
    Thread,
    ThreadStatus,
)
from subagent_sidecar.core.trace_ids import run_span, traceparent, tree_trace
from subagent_sidecar.errors import StoreError
from subagent_sidecar.ports import Store


def seen(run_id: str, status: RunStatus, second: float, thread_id: str = "t") -> RunSeen:
    return RunSeen(thread_id=thread_id, run_id=run_id, status=status, at=at(second))


async def started(store: Store, number: int, run_id: str, thread_id: str = "t") -> None:
    intent = await store.admit(start(number, thread_id))
    await store.apply([accepted(intent, run_id, number + 0.5, thread_id=thread_id)])


async def test_an_admitted_start_is_an_open_intent(store: Store) -> None:
    intent = await store.admit(start(1, purpose="find out", strategy="enqueue"))
    assert list(await store.open_intents(before=END_OF_TIME)) == [intent]
    assert await store.task("t") is None


async def test_a_settled_start_is_a_record_with_every_field(store: Store) -> None:
    thread = Thread(
        thread_id="t",
        upstream="up",
        created_at=at(0),
        supervisor="bob",
        session_id="mother",
        agent_name="coder",
    )
    await started(store, 0, "r0", "mother")
    await store.apply([ThreadCreated(thread=thread)])
    intent = await store.admit(start(1, purpose="find out", strategy="reject"))
    await store.apply(
        [
            accepted(intent, "r1", 2),
            seen("r1", RunStatus.RUNNING, 3),
            Polled(task_id="t", times=4, at=at(4)),
            RunGone(thread_id="t", run_id="r1", by=EndedBy.OPERATOR, at=at(5), reason="deleted"),
        ]
    )
    record = await store.task("t")
    assert record is not None
    assert record.task == Task(
        task_id="t",
        upstream="up",
        agent_name="coder",
        status=TaskStatus.CANCELLED,
        session_id="mother",
        supervisor="bob",
        created_at=at(1),
        last_updated_at=at(5),
        run_id="r1",
        assistant_id="graph",
        parent_task_id="mother",
        depth=1,
        purpose="find out",
        polls=4,
        last_checked_at=at(4),
        started_at=at(3),
        ended_at=at(5),
        ended_by=EndedBy.OPERATOR,
        reason="deleted",
        tree_id="mother",
        trace_parent=traceparent(tree_trace("mother"), run_span("mother", at(0), "req0")),
    )
    assert record.runs == (
        Run(
            run_id="r1",
            task_id="t",
            kind="start",
            status=RunStatus.INTERRUPTED,
            created_at=at(1),
            request_id="req1",
            assistant_id="graph",
            strategy="reject",
            started_at=at(3),
            ended_at=at(5),
            cancel_asked_by=EndedBy.OPERATOR,
        ),
    )
    assert await store.thread("t") == thread
    assert list(await store.open_intents(before=END_OF_TIME)) == []


async def test_what_is_not_on_record_is_none(store: Store) -> None:
    assert await store.task("t") is None
    assert await store.thread("t") is None
    assert list(await store.events("t", limit=10)) == []
    assert (await store.tasks(TaskQuery())).records == ()


async def test_calls_take_effect_in_their_order_awaited_or_not(store: Store) -> None:
    first = store.admit(start(1))
    settled = [
        store.apply([accepted(await first, "r1", 1.5), seen("r1", RunStatus.SUCCESS, 2)]),
        store.apply([ThreadSeen(thread_id="t", status=ThreadStatus.INTERRUPTED, at=at(3))]),
    ]
    second = store.admit(start(4))
    last = store.apply([seen("r1", RunStatus.ERROR, 5)])
    await asyncio.gather(*settled, second, last)
    assert second.result().kind is IntentKind.UPDATE
    record = await store.task("t")
    assert record is not None
    assert record.task.status is TaskStatus.WAITING


async def test_many_calls_at_once_lose_nothing(store: Store) -> None:
    numbers = range(300)
    intents = await asyncio.gather(*(store.admit(start(n, f"t{n}")) for n in numbers))
    applied = [
        store.apply([accepted(intent, f"r{n}", n, thread_id=f"t{n}")])
        for n, intent in enumerate(intents)
    ]
    await asyncio.gather(*applied)
    for n in numbers:
        record = await store.task(f"t{n}")
        assert record is not None
        assert record.task.run_id == f"r{n}"


@dataclass(frozen=True)
class _NoChange:
    """Nothing the books know: a bug."""

    thread_id: str = "t"


async def test_changes_that_come_together_are_entered_all_or_none(store: Store) -> None:
    await started(store, 1, "r1")
    good: list[Change] = [seen("r1", RunStatus.SUCCESS, 2)]
    with pytest.raises((StoreError, AssertionError)):
        await store.apply([*good, _NoChange()])  # type: ignore[list-item]
    record = await store.task("t")
    assert record is not None
    assert record.task.status is TaskStatus.PENDING
    await store.apply(good)
    record = await store.task("t")
    assert record is not None
    assert record.task.status is TaskStatus.SUCCESS


async def test_a_thread_that_named_nobody_and_is_made_anew_is_where_it_was_made_last(
    store: Store,
) -> None:
    for second, upstream in enumerate(("first", "second")):
        thread = Thread(thread_id="t", upstream=upstream, created_at=at(second), supervisor="ann")
        await store.apply([ThreadCreated(thread=thread)])
    found = await store.thread("t")
    assert found is not None
    assert (found.upstream, found.created_at) == ("second", at(0))


async def test_open_intents_are_those_made_before_oldest_first(store: Store) -> None:
    intents = [await store.admit(start(n, f"t{n}")) for n in (3, 1, 2)]
    await store.apply([Doubted(intent=intents[2], at=at(4), reason="timeout")])
    found = await store.open_intents(before=at(3))
    assert [intent.intent_id for intent in found] == ["i1", "i2"]
    assert [intent.in_doubt for intent in found] == [None, "timeout"]


async def test_live_tasks_are_those_of_an_upstream_oldest_first(store: Store) -> None:
    for number, thread_id in enumerate(("c", "a", "b", "ended", "waiting")):
        await started(store, number, f"r-{thread_id}", thread_id)
    elsewhere = await store.admit(start(9, "elsewhere", upstream="other"))
    await store.apply(
        [
            accepted(elsewhere, "r-e", 9, thread_id="elsewhere"),
            seen("r-ended", RunStatus.ERROR, 10, "ended"),
            seen("r-waiting", RunStatus.SUCCESS, 10, "waiting"),
            ThreadSeen(thread_id="waiting", status=ThreadStatus.INTERRUPTED, at=at(11)),
        ]
    )
    assert await _live(store, 10) == ["c", "a", "b", "waiting"]
    assert await _live(store, 2) == ["c", "a"]
    await started(store, 20, "r-again", "ended")
    assert await _live(store, 10) == ["c", "a", "b", "ended", "waiting"]


async def _live(store: Store, limit: int) -> list[str]:
    return [task.task_id for task in await store.live_tasks("up", limit=limit)]


async def test_events_are_the_newest_in_the_order_of_the_story(store: Store) -> None:
    await started(store, 1, "r1")
    await started(store, 1, "x1", "other")
    for second, status in enumerate((RunStatus.RUNNING, RunStatus.SUCCESS)):
        await store.apply([seen("r1", status, second + 2)])
    told = ["started", "run_status", "status", "run_status", "ended"]
    events = await store.events("t", limit=10)
    assert [event.kind for event in events] == told
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert events[-1].detail == {"by": "upstream"}
    assert [event.kind for event in await store.events("t", limit=2)] == told[-2:]
    assert list(await store.events("t", limit=0)) == []


NAMED = [
    ("abc", ["abc-111", "abc-222"]),
    ("abc-1", ["abc-111"]),
    ("111", ["abc-111", "xyz-111"]),
    ("abc-111", ["abc-111"]),
    ("c-1", []),  # neither the begin nor the end
    ("%", []),
    ("_bc", []),
    ("ABC", []),
    ("é", ["é"]),
    ("abc-111-more", []),
]


@pytest.mark.parametrize(("fragment", "expected"), NAMED)
async def test_tasks_are_named_by_how_their_ids_begin_or_end(
    store: Store, fragment: str, expected: list[str]
) -> None:
    for number, thread_id in enumerate(("abc-111", "abc-222", "xyz-111", "é")):
        await started(store, number, f"r{number}", thread_id)
    assert list(await store.tasks_named(fragment, limit=10)) == expected
    assert list(await store.tasks_named(fragment, limit=1)) == expected[:1]


async def test_a_healthy_store_says_what_it_is(store: Store) -> None:
    assert (await store.check()).strip()


async def test_a_store_that_closes_finishes_what_was_handed_in(store: Store) -> None:
    admitted = store.admit(start(1))
    await store.aclose()
    assert (await admitted).intent_id == "i1"


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.aclose()
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: store.admit(start(1)),
        lambda: store.apply([Polled(task_id="t", times=1, at=at(1))]),
        lambda: store.thread("t"),
        lambda: store.task("t"),
        lambda: store.tasks(TaskQuery()),
        lambda: store.tasks_named("abcd", limit=1),
        lambda: store.live_tasks("up", limit=1),
        lambda: store.events("t", limit=1),
        lambda: store.open_intents(before=END_OF_TIME),
        store.check,
    ]
    for call in calls:
        with pytest.raises(StoreError, match="closed"):
            await call()
    await store.aclose()


async def test_cancels_are_open_until_they_are_known_to_have_come_true(store: Store) -> None:
    for number, thread_id in enumerate(["a", "b", "c", "d", "e"], 1):
        await started(store, number, f"r{number}", thread_id)
    asked = [
        CancelAsked(thread_id=t, run_id=r, by=EndedBy.OPERATOR, at=at(second), reason="enough")
        for t, r, second in [("d", "r4", 11), ("a", "r1", 12), ("b", "r2", 13), ("c", "r3", 14)]
    ]
    await store.apply(
        [
            *asked,
            seen("r1", RunStatus.SUCCESS, 15, "a"),
            seen("r2", RunStatus.INTERRUPTED, 15, "b"),
            seen("r3", RunStatus.INTERRUPTED, 15, "c"),
            CancelConfirmed(thread_id="c", run_id="r3", at=at(16)),
        ]
    )
    found = await store.open_cancels(limit=10)
    assert [(upstream, run.task_id, run.run_id) for upstream, run in found] == [
        ("up", "d", "r4"),
        ("up", "b", "r2"),
    ]
    assert (found[0][1].cancel_asked_by, found[0][1].cancel_reason) == ("operator", "enough")
    assert len(await store.open_cancels(limit=1)) == 1


async def test_a_cancel_that_was_not_obeyed_stays_open_with_its_mark(store: Store) -> None:
    await started(store, 1, "r1")
    await store.apply(
        [
            CancelAsked(thread_id="t", run_id="r1", by=EndedBy.REAPER, at=at(2), reason="orphan"),
            seen("r1", RunStatus.INTERRUPTED, 3),
            CancelUnconfirmed(thread_id="t", run_id="r1", at=at(4), tried=("interrupt",)),
        ]
    )
    [(_, run)] = await store.open_cancels(limit=10)
    assert (run.cancel_unconfirmed_at, run.status) == (at(4), RunStatus.INTERRUPTED)
    events = await store.events("t", limit=10)
    assert events[-1].kind == "cancel_unconfirmed" and events[-1].detail == {"tried": ["interrupt"]}


async def test_a_task_that_waits_can_be_ended_on_record(store: Store) -> None:
    await started(store, 1, "r1")
    await store.apply(
        [
            seen("r1", RunStatus.SUCCESS, 2),
            ThreadSeen(thread_id="t", status=ThreadStatus.INTERRUPTED, at=at(3)),
            WaitingCancelled(thread_id="t", by=EndedBy.OPERATOR, at=at(4), reason="enough"),
        ]
    )
    record = await store.task("t")
    assert record is not None
    assert (record.task.status, record.task.ended_at) == (TaskStatus.CANCELLED, at(4))
