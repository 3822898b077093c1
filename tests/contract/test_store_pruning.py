"""Forgetting what is old, as every store does it (ports.Store): all of a task, or nothing."""

from collections.abc import Sequence
from typing import Any

from tests.support.books import accepted, at, start
from tests.support.past import rules
from tests.support.refusing import refused_on_record
from tests.support.stores import END_OF_TIME, listed

from subagent_sidecar.core.changes import (
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Doubted,
    Released,
    RunSeen,
    ThreadCreated,
    UsageSeen,
)
from subagent_sidecar.core.feed import EventQuery
from subagent_sidecar.core.model import EndedBy, Intent, RunStatus, Thread, UsageEntry
from subagent_sidecar.core.past import DecisionQuery, StartQuery
from subagent_sidecar.core.sums import Sum
from subagent_sidecar.ports import Store

CLOSED = rules("name: closed, match: {agent: '*'}, deny: true")
NEWEST = "zz-newest"
"""A task that is made after all others, and stays whatever happens."""


async def begun(store: Store, number: int, task_id: str, **facts: str) -> Intent:
    thread = Thread(thread_id=task_id, upstream="up", created_at=at(number), supervisor="ann")
    await store.apply([ThreadCreated(thread=thread)])
    intent = await store.admit(start(number, task_id, **facts))
    await store.apply([accepted(intent, f"{task_id}-r{number}", number, thread_id=task_id)])
    return intent


async def ended(store: Store, number: int, task_id: str, *, at_second: float, **facts: str) -> None:
    """A task that was started in second `number` and succeeded in `at_second`."""
    await begun(store, number, task_id, **facts)
    await over(store, task_id, f"{task_id}-r{number}", at_second)


async def over(
    store: Store, task_id: str, run_id: str, second: float, status: RunStatus = RunStatus.SUCCESS
) -> None:
    await store.apply(
        [RunSeen(thread_id=task_id, run_id=run_id, status=status, at=at(second), upstream="up")]
    )


def tokens(task_id: str, message: str, **more: int | None) -> UsageEntry:
    facts: dict[str, int | None] = {"input_tokens": 10, "output_tokens": 1, **more}
    return UsageEntry(
        task_id=task_id,
        message_id=message,
        run_id="r",
        at=at(1),
        model="m-1" if message != "nameless" else None,
        **facts,  # type: ignore[arg-type]
    )


async def pruned(store: Store, second: float, *, limit: int = 100) -> list[int]:
    """What each call removed, until nothing was left to remove."""
    removed = []
    while count := await store.prune(at(second), limit=limit):
        removed.append(count)
        assert len(removed) < 1_000
    return removed


async def test_a_task_that_ended_long_ago_goes_with_all_that_is_on_record(store: Store) -> None:
    await ended(store, 1, "old", at_second=5)
    await store.apply([UsageSeen(thread_id="old", run_id="r", entries=(tokens("old", "m"),))])
    await ended(store, 2, "young", at_second=50)
    await begun(store, 3, NEWEST)
    assert await pruned(store, 20) == [1]
    assert await listed(store) == [NEWEST, "young"]
    assert await store.task("old") is None
    assert await store.thread("old") is None
    assert list(await store.events("old", limit=10)) == []
    assert list(await store.tasks_named("old", limit=10)) == []
    assert await store.thread("young") is not None


async def test_a_task_that_ended_in_that_very_moment_stays(store: Store) -> None:
    await ended(store, 1, "old", at_second=5)
    await begun(store, 3, NEWEST)
    assert await pruned(store, 5) == []
    assert await pruned(store, 5.000001) == [1]


async def test_the_ones_that_ended_first_go_first_and_few_at_a_time(store: Store) -> None:
    for number in range(5):
        await ended(store, number, f"t{number}", at_second=20 - number)
    await begun(store, 30, NEWEST)
    assert await store.prune(at(99), limit=2) == 2
    assert await listed(store) == [NEWEST, "t2", "t1", "t0"]
    assert await pruned(store, 99, limit=2) == [2, 1]


async def test_live_tasks_stay_however_old(store: Store) -> None:
    await begun(store, 1, "pending")
    await begun(store, 2, "running")
    await over(store, "running", "running-r2", 3, RunStatus.RUNNING)
    await begun(store, 9, NEWEST)
    assert await pruned(store, 1e6) == []


async def test_a_task_whose_run_is_at_large_stays(store: Store) -> None:
    await begun(store, 1, "t")
    run: dict[str, Any] = {"thread_id": "t", "run_id": "t-r1"}
    await store.apply([CancelAsked(**run, by=EndedBy.OPERATOR, at=at(2))])
    await over(store, "t", "t-r1", 3, RunStatus.INTERRUPTED)
    await store.apply([CancelUnconfirmed(**run, at=at(4), tried=())])
    await begun(store, 9, NEWEST)
    assert await pruned(store, 99) == []
    await store.apply([CancelConfirmed(**run, at=at(10), lost=False)])
    await begun(store, 11, NEWEST)
    assert await pruned(store, 99) == [1]


async def test_a_task_that_was_taken_up_again_stays(store: Store) -> None:
    await ended(store, 1, "again", at_second=5)
    await begun(store, 10, "again")
    await begun(store, 11, NEWEST)
    assert await pruned(store, 99) == []


async def test_a_task_with_a_start_under_way_or_in_doubt_stays(store: Store) -> None:
    await ended(store, 1, "updated", at_second=5)
    await ended(store, 2, "doubted", at_second=6)
    await ended(store, 3, "parent", at_second=7)
    under_way = await store.admit(start(10, "updated"))
    doubted = await store.admit(start(11, "doubted"))
    await store.apply([Doubted(intent=doubted, at=at(12), reason="cut off")])
    child = await store.admit(start(13, "child", header_session="parent"))
    await begun(store, 14, NEWEST)
    assert await pruned(store, 99) == []
    released = [Released(intent=i, at=at(20), reason="no") for i in (under_way, doubted, child)]
    await store.apply(released)
    await begun(store, 21, NEWEST)
    assert sum(await pruned(store, 15)) == 3


async def test_a_task_whose_parent_or_child_is_live_stays(store: Store) -> None:
    await ended(store, 1, "mother", at_second=5)
    await begun(store, 2, "child", header_session="mother")
    await ended(store, 3, "grandchild", at_second=6, header_session="child")
    await begun(store, 9, NEWEST)
    assert await pruned(store, 99) == []
    await over(store, "child", "child-r2", 50)
    await begun(store, 60, NEWEST)
    assert await pruned(store, 40) == [2]
    assert await pruned(store, 99) == [1]
    assert await listed(store) == [NEWEST]


async def test_the_newest_task_and_event_stay(store: Store) -> None:
    await ended(store, 1, "a", at_second=5)
    await ended(store, 2, "b", at_second=6)
    await over(store, "a", "a-r1", 7)  # says nothing new
    assert await pruned(store, 99) == [1]
    assert await listed(store) == ["b"]


async def test_numbers_go_on_where_they_were(store: Store) -> None:
    await ended(store, 1, "a", at_second=5)
    await begun(store, 2, "b")
    last = await store.last_event()
    await pruned(store, 99)
    assert await store.last_event() == last
    await begun(store, 3, "c")
    page = await store.events_after(EventQuery())
    assert [told.event.seq for told in page.events] == [last, last + 1]


async def test_a_reader_can_tell_that_something_was_forgotten(store: Store) -> None:
    await ended(store, 1, "a", at_second=5)
    newest_of_a = await store.last_event()
    await begun(store, 2, NEWEST)
    assert (await store.events_after(EventQuery())).pruned == 0
    await pruned(store, 99)
    assert (await store.events_after(EventQuery(task_id="nobody"))).pruned == newest_of_a


async def test_events_of_no_task_go_when_they_are_old(store: Store) -> None:
    for number in (1, 2, 30):
        intent = await store.admit(start(number, None))
        await store.apply([Released(intent=intent, at=at(number), reason="no")])
    await begun(store, 40, NEWEST)
    assert await pruned(store, 20, limit=1) == [1, 1]
    page = await store.events_after(EventQuery())
    assert [told.event.seq for told in page.events] == [3, 4]
    assert page.pruned == 2
    assert await pruned(store, 35) == [1]


async def test_threads_that_nothing_was_started_on_go_when_they_are_old(store: Store) -> None:
    made = {"a": 1, "b": 2, "c": 30, "awaited": 3}
    for thread_id, second in made.items():
        thread = Thread(thread_id=thread_id, upstream="up", created_at=at(second), supervisor="ann")
        await store.apply([ThreadCreated(thread=thread)])
    await store.admit(start(40, "awaited"))
    await begun(store, 4, NEWEST)
    assert await pruned(store, 20, limit=1) == [1, 1]
    left = [thread_id for thread_id in (*made, NEWEST) if await store.thread(thread_id)]
    assert left == ["c", "awaited", NEWEST]
    assert await pruned(store, 35) == [1]  # walks through them anew


async def refused(store: Store, number: int, thread_id: str | None) -> None:
    await refused_on_record(store, start(number, thread_id), CLOSED)


async def decisions(store: Store) -> list[int]:
    page = await store.decisions(DecisionQuery(oldest_first=True))
    return [decision.seq for decision in page.decisions]


async def test_decisions_of_no_task_go_when_they_are_old(store: Store) -> None:
    await ended(store, 1, "kept", at_second=50)
    await refused(store, 2, "kept")
    await refused(store, 3, "never-was")
    await refused(store, 4, None)
    await refused(store, 30, None)
    await refused(store, 31, None)
    await begun(store, 40, NEWEST)
    removed = await pruned(store, 20)
    assert sum(removed) == 4  # each refusal of no task, and its event
    assert await decisions(store) == [1, 4, 5]
    await pruned(store, 99)
    assert await decisions(store) == [5]  # the newest, for the numbers go on from it
    await refused(store, 60, None)
    assert await decisions(store) == [5, 6]


async def test_decisions_go_few_at_a_time(store: Store) -> None:
    for number in range(1, 6):
        await refused(store, number, None)
    await begun(store, 40, NEWEST)
    counts = await pruned(store, 20, limit=2)
    assert max(counts) == 2
    assert await decisions(store) == [5]


async def test_since_when_nothing_is_missing_is_known(store: Store) -> None:
    async def whole() -> str | None:
        return (await store.starts(StartQuery())).whole_from

    day = 86_400
    await ended(store, 1, "a", at_second=day + 5)
    await refused(store, 2, None)
    await refused(store, 3 * day, None)
    await refused(store, 3 * day + 1, None)
    await begun(store, 40, NEWEST)
    assert await whole() is None
    await pruned(store, 5)
    assert await whole() == at(2.000001)
    await pruned(store, day + 6)
    assert await whole() == at(2 * day)
    await pruned(store, 4 * day)
    assert await whole() == at(3 * day + 0.000001)


async def spent(store: Store, task_id: str, *entries: UsageEntry) -> None:
    await store.apply([UsageSeen(thread_id=task_id, run_id="r", entries=entries)])


def sums(found: Sequence[Sum]) -> dict[tuple[str, str], tuple[int, ...]]:
    """(agent, model) -> tasks, runs, messages, unpriced, tokens in and out, cost."""
    return {
        (one.agent_name, one.model): (
            *(one.tasks, one.runs, one.messages, one.unpriced),
            *(one.input_tokens, one.output_tokens, one.cost_micro_usd),
        )
        for one in found
    }


async def test_what_tasks_came_to_is_kept(store: Store) -> None:
    await ended(store, 1, "a", at_second=5, agent_name="coder")
    await spent(store, "a", tokens("a", "m1", cost_micro_usd=7), tokens("a", "m2"))
    await spent(store, "a", tokens("a", "nameless", cost_micro_usd=1))
    await begun(store, 6, "a", agent_name="coder")
    await over(store, "a", "a-r6", 8)
    await ended(store, 2, "b", at_second=9, agent_name="coder")
    await spent(store, "b", tokens("b", "m1", cost_micro_usd=100))
    await ended(store, 3, "c", at_second=9, agent_name="painter")
    await begun(store, 10, NEWEST)
    assert list(await store.sums()) == []
    assert await pruned(store, 99, limit=1) == [1, 1, 1]
    assert sums(await store.sums()) == {
        ("coder", ""): (2, 3, 1, 0, 10, 1, 1),
        ("coder", "m-1"): (0, 0, 3, 1, 30, 3, 107),
        ("painter", ""): (1, 1, 0, 0, 0, 0, 0),
    }


async def test_sums_are_told_apart_by_day_and_by_how_the_tasks_ended(store: Store) -> None:
    day = 86_400
    await ended(store, 1, "a", at_second=5)
    await ended(store, 2, "b", at_second=day + 1)
    await begun(store, 3, "c")
    await over(store, "c", "c-r3", day + 2, RunStatus.ERROR)
    await begun(store, 4, NEWEST)
    await pruned(store, 3 * day)
    kept = await store.sums()
    told = [(one.day, one.status, one.supervisor, one.upstream, one.tasks) for one in kept]
    assert told == [
        ("2026-01-01", "success", "ann", "up", 1),
        ("2026-01-02", "error", "ann", "up", 1),
        ("2026-01-02", "success", "ann", "up", 1),
    ]
    assert len(await store.sums(since="2026-01-02")) == 2


async def test_a_pruned_task_that_is_taken_up_again_is_a_new_one(store: Store) -> None:
    await ended(store, 1, "a", at_second=5)
    await begun(store, 2, NEWEST)
    await pruned(store, 99)
    await over(store, "a", "a-r1", 100)  # somebody still reads the old run
    assert await store.task("a") is None
    await begun(store, 101, "a")
    record = await store.task("a")
    assert record is not None
    assert [(run.run_id, run.kind) for run in record.runs] == [("a-r101", "start")]
    assert list(await store.open_intents(before=END_OF_TIME)) == []
