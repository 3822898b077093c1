"""Reading back what was started and what was refused, as every store does it (ports.Store)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.books import accepted, at, start
from tests.support.past import rules
from tests.support.refusing import refused_on_record

from subagent_sidecar.core.changes import (
    CancelAsked,
    CancelUnconfirmed,
    RunSeen,
    ThreadSeen,
    UsageSeen,
)
from subagent_sidecar.core.decisions import Decision, Verdict
from subagent_sidecar.core.model import EndedBy, Item, RunStatus, ThreadStatus, UsageEntry
from subagent_sidecar.core.past import DecisionQuery, PastStart, Position, StartQuery
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.ports import Store

NOBODY = rules("name: closed, match: {agent: '*'}, deny: true")
WATCHED = rules("name: w, mode: observe, match: {agent: '*'}, deny: true")


async def begun(store: Store, number: int, task_id: str, **facts: object) -> str:
    """A start in second `number`; returns its run's id."""
    intent = await store.admit(start(number, task_id, **facts))
    run_id = f"{task_id}-r{number}"
    await store.apply([accepted(intent, run_id, number, thread_id=task_id)])
    return run_id


async def seen(store: Store, task_id: str, run_id: str, status: RunStatus, second: float) -> None:
    await store.apply(
        [RunSeen(thread_id=task_id, run_id=run_id, status=status, at=at(second), upstream="up")]
    )


async def refused(
    store: Store, number: int, thread_id: str | None = "t", policy: Policy = NOBODY, **facts: object
) -> None:
    await refused_on_record(store, start(number, thread_id, **facts), policy)


async def all_starts(store: Store, query: StartQuery) -> list[PastStart]:
    found: list[PastStart] = []
    after: Position | None = None
    while True:
        page = await store.starts(replace(query, after=after))
        found += page.starts
        assert len(page.starts) <= query.limit
        if page.next_after is None:
            return found
        after = page.next_after


async def all_decisions(store: Store, query: DecisionQuery) -> list[Decision]:
    found: list[Decision] = []
    after: int | None = None
    for _ in range(100):
        page = await store.decisions(replace(query, after=after))
        found += page.decisions
        if page.next_after is None:
            return found
        after = page.next_after
    raise AssertionError("pages without end")


async def test_an_empty_record_has_no_starts_and_no_decisions(store: Store) -> None:
    page = await store.starts(StartQuery())
    assert (page.starts, page.next_after, page.whole_from) == ((), None, None)
    assert (await store.decisions(DecisionQuery())).decisions == ()
    since = DecisionQuery(since=at(5), oldest_first=True)
    assert (await store.decisions(since)).next_after is None


async def test_a_start_is_told_with_all_that_rules_ask_for(store: Store) -> None:
    await begun(store, 1, "root", agent_name="lead", header_session="s1")
    run_id = await begun(store, 2, "t", agent_name="coder", header_session="root", fingerprint="f")
    await seen(store, "t", run_id, RunStatus.RUNNING, 3)
    usage = UsageEntry(
        task_id="t",
        message_id="m",
        run_id=run_id,
        at=at(4),
        model="m-1",
        input_tokens=10,
        output_tokens=5,
        cost_micro_usd=7,
    )
    await seen(store, "t", run_id, RunStatus.SUCCESS, 5)
    await store.apply(
        [
            ThreadSeen(thread_id="t", status=ThreadStatus.IDLE, at=at(6), upstream="up"),
            UsageSeen(thread_id="t", run_id=run_id, entries=(usage,), settled=(run_id,)),
        ]
    )
    [root, found] = await all_starts(store, StartQuery())
    call = found.call
    assert (call.agent, call.upstream, call.supervisor) == ("coder", "up", "ann")
    assert (call.session, call.depth, call.fingerprint) == ("root", 1, "f")
    assert (call.task_id, call.tree_id, call.update) == ("t", "root", False)
    assert (found.parent_task_id, found.request_id) == ("root", "req2")
    assert (found.at, found.task_at) == (at(2), at(2))
    assert (found.started_at, found.ended_at, found.left_at) == (at(3), at(5), at(5))
    assert (found.tokens, found.cost_micro_usd, found.unpriced) == (15, 7, 0)
    assert (found.settled, found.at_large) == (True, False)
    assert (root.call.tree_id, root.ended_at, root.left_at) == ("root", None, None)


async def test_a_task_that_waits_is_held_by_its_newest_run(store: Store) -> None:
    first = await begun(store, 1, "t")
    await seen(store, "t", first, RunStatus.SUCCESS, 2)
    newest = await begun(store, 3, "t")
    await seen(store, "t", newest, RunStatus.SUCCESS, 4)
    waits = ThreadSeen(thread_id="t", status=ThreadStatus.INTERRUPTED, at=at(5), upstream="up")
    await store.apply([waits])
    starts = await all_starts(store, StartQuery())
    assert [(start.ended_at, start.left_at) for start in starts] == [(at(2), at(2)), (at(4), None)]
    assert [start.call.update for start in starts] == [False, True]


async def test_a_run_at_large_is_told_as_such(store: Store) -> None:
    run_id = await begun(store, 1, "t")
    run: dict[str, Any] = {"thread_id": "t", "run_id": run_id}
    await store.apply([CancelAsked(**run, by=EndedBy.OPERATOR, at=at(2))])
    await seen(store, "t", run_id, RunStatus.INTERRUPTED, 3)
    await store.apply([CancelUnconfirmed(**run, at=at(4), tried=())])
    [found] = await all_starts(store, StartQuery(since=at(50)))
    assert (found.at_large, found.ended_at) == (True, at(3))


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_starts_come_by_the_age_of_their_tasks_however_large_the_pages(
    store: Store, limit: int
) -> None:
    for number, task_id in enumerate(("b", "a", "c"), start=1):
        await begun(store, number, task_id)
    await begun(store, 9, "b")
    await begun(store, 10, "b")
    found = await all_starts(store, StartQuery(limit=limit))
    assert [start.run_id for start in found] == ["b-r1", "b-r10", "b-r9", "a-r2", "c-r3"]


async def test_what_had_ended_before_is_left_out(store: Store) -> None:
    for number, task_id in enumerate(("long", "short", "live"), start=1):
        run_id = await begun(store, number, task_id)
        if task_id != "live":
            await seen(store, task_id, run_id, RunStatus.ERROR, 90 if task_id == "long" else 5)
    found: list[PastStart] = []
    for since, expected in ((5, 3), (5.1, 2), (90, 2), (91, 1)):
        found = await all_starts(store, StartQuery(since=at(since)))
        assert len(found) == expected, since
    assert found[0].task_id == "live"


async def test_a_refusal_is_told_with_what_was_asked(store: Store) -> None:
    await refused(store, 1, "t", agent_name="coder", header_session="s", fingerprint="f")
    [found] = (await store.decisions(DecisionQuery())).decisions
    assert (found.times, found.until) == (1, None)
    assert (found.at, found.verdict, found.rule) == (at(1), Verdict.DENY, "closed")
    assert (found.thread_id, found.call.agent, found.call.fingerprint) == ("t", "coder", "f")
    assert [check.rule for check in found.checks] == ["closed"]


async def several(store: Store) -> None:
    """Decisions numbered 1 to 6."""
    await refused(store, 1, "t1", agent_name="a", header_session="s1")
    await refused(store, 2, "t2", agent_name="b", header_session="s1")
    await store.admit(start(3, "t1", agent_name="a", header_session="s2"), WATCHED)
    await refused(store, 4, None, agent_name="b", header_session="s2")
    items = (Item(agent_name="a"), Item(agent_name="b"))
    await refused(store, 5, None, batch=True, items=items, header_session="s1")
    await refused(store, 6, "t1", agent_name="a", header_session="s1")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (DecisionQuery(), [6, 5, 4, 3, 2, 1]),
        (DecisionQuery(oldest_first=True), [1, 2, 3, 4, 5, 6]),
        (DecisionQuery(thread_id="t1"), [6, 3, 1]),
        (DecisionQuery(session="s2"), [4, 3]),
        (DecisionQuery(agent="b"), [4, 2]),
        (DecisionQuery(agent="a", session="s1"), [6, 5, 1]),
        (DecisionQuery(verdict=Verdict.WOULD_DENY), [3]),
        (DecisionQuery(verdict=Verdict.DENY, oldest_first=True), [1, 2, 4, 5, 6]),
        (DecisionQuery(since=at(4)), [6, 5, 4]),
        (DecisionQuery(since=at(3.5), oldest_first=True), [4, 5, 6]),
        (DecisionQuery(since=at(99)), []),
        (DecisionQuery(agent="nobody"), []),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_decisions_are_found_by_whom_they_are_about(
    store: Store, query: DecisionQuery, limit: int, expected: list[int]
) -> None:
    await several(store)
    found = await all_decisions(store, replace(query, limit=limit))
    assert [decision.seq for decision in found] == expected


async def test_a_page_of_decisions_goes_on_where_the_last_one_ended(store: Store) -> None:
    await several(store)
    page = await store.decisions(DecisionQuery(limit=2))
    assert [decision.seq for decision in page.decisions] == [6, 5]
    await refused(store, 7, "t7")
    page = await store.decisions(DecisionQuery(limit=2, after=page.next_after))
    assert [decision.seq for decision in page.decisions] == [4, 3]


async def test_a_record_of_several_refusals_keeps_their_count(store: Store) -> None:
    with pytest.raises(Refused) as told:
        await store.admit(start(1, "t"), NOBODY)
    record = told.value.record
    assert record is not None
    several = replace(record.decision, times=4_211, until=at(6))
    await store.apply([replace(record, decision=several)])
    [found] = (await store.decisions(DecisionQuery())).decisions
    assert (found.at, found.times, found.until) == (at(1), 4_211, at(6))
    [told_once] = await store.events("t", limit=9)
    assert (told_once.at, told_once.detail["times"]) == (at(6), 4_211)


async def test_what_was_counted_first_is_not_missed_by_who_reads_since_a_moment(
    store: Store,
) -> None:
    """Of two processes, or two kinds of refusal, the later one may be on record first."""
    for second in (9, 10, 5, 11):
        await refused(store, second, None)
    found = await all_decisions(store, DecisionQuery(since=at(5), oldest_first=True, limit=2))
    assert [decision.at for decision in found] == [at(9), at(10), at(5), at(11)]
    found = await all_decisions(store, DecisionQuery(since=at(10), oldest_first=True))
    assert [decision.at for decision in found] == [at(10), at(11)]
