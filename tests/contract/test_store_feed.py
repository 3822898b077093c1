"""The record of events as every store gives it to a reader that comes back (ports.Store)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from tests.support.books import accepted, at, start

from subagent_sidecar.core.changes import (
    BudgetRaised,
    BudgetTold,
    Change,
    Frozen,
    Released,
    RunSeen,
    Told,
)
from subagent_sidecar.core.feed import EventQuery, ToldEvent
from subagent_sidecar.core.matching import Scope
from subagent_sidecar.core.model import RunStatus
from subagent_sidecar.core.policy import Amounts, Mode
from subagent_sidecar.core.verdict import Check, Freeze
from subagent_sidecar.ports import Store


async def begun(store: Store, number: int, task_id: str, **facts: str) -> None:
    """A task that was started in second `number`, and began to run a second later."""
    intent = await store.admit(start(number, task_id, **facts))
    changes: list[Change] = [
        accepted(intent, f"r{number}", number, thread_id=task_id),
        RunSeen(
            thread_id=task_id, run_id=f"r{number}", status=RunStatus.RUNNING, at=at(number + 1)
        ),
    ]
    await store.apply(changes)


async def failed(store: Store, number: int, agent: str) -> None:
    """A start that came to nothing, on a thread that never became a task."""
    intent = await store.admit(start(number, "none", agent_name=agent))
    await store.apply([Released(intent=intent, at=at(number), reason="refused")])


def numbers(events: Sequence[ToldEvent]) -> list[int]:
    return [told.event.seq for told in events]


async def test_of_nothing_there_is_nothing(store: Store) -> None:
    page = await store.events_after(EventQuery())
    assert (page.events, page.upto, page.last, page.more, page.pruned) == ((), 0, 0, False, 0)
    assert list(await store.newest_events(EventQuery())) == []
    assert await store.last_event() == 0
    assert await store.position_at(at(1)) == 0


async def test_an_event_comes_with_what_is_known_of_its_task(store: Store) -> None:
    await begun(store, 1, "t1", header_session="s1", agent_name="coder")
    page = await store.events_after(EventQuery())
    first, *_ = page.events
    assert (first.event.kind, first.event.task_id, first.event.seq) == ("started", "t1", 1)
    assert (first.agent_name, first.session_id, first.upstream) == ("coder", "s1", "up")
    assert [told.event for told in page.events] == list(await store.events("t1", limit=10))


async def test_an_event_without_a_task_has_the_agent_it_names_itself(store: Store) -> None:
    await failed(store, 1, "coder")
    await failed(store, 2, "painter")
    page = await store.events_after(EventQuery(agent_name="coder"))
    (told,) = page.events
    assert (told.event.kind, told.agent_name, told.session_id) == ("start_failed", "coder", None)
    assert page.upto == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_reading_page_by_page_gives_each_event_once_and_in_order(
    store: Store, limit: int
) -> None:
    for number in range(4):
        await begun(store, number, f"t{number}")
    found: list[int] = []
    query = EventQuery(limit=limit)
    for _ in range(20):
        page = await store.events_after(query)
        found += numbers(page.events)
        query = EventQuery(limit=limit, after=page.upto)
        if not page.more:
            break
    assert found == list(range(1, 13))
    await begun(store, 9, "t9")
    assert numbers((await store.events_after(query)).events)[0] == 13


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        (EventQuery(task_id="t2"), ["started", "run_status", "status"]),
        (EventQuery(task_id="t2", kinds=frozenset({"status"})), ["status"]),
        (EventQuery(session_id="s1"), ["started", "run_status", "status"]),
        (EventQuery(agent_name="coder"), ["started", "run_status", "status", "start_failed"]),
        (EventQuery(agent_name="coder", session_id="s2"), []),
        (EventQuery(upstream="elsewhere"), ["started", "run_status", "status"]),
        (EventQuery(kinds=frozenset({"started"})), ["started", "started"]),
        (EventQuery(kinds=frozenset({"started", "start_failed"}), limit=2), ["started"] * 2),
        (EventQuery(after=3, kinds=frozenset({"started"})), ["started"]),
        (EventQuery(task_id="nobody"), []),
    ],
)
async def test_filters_say_which_events_are_told(
    store: Store, query: EventQuery, kinds: list[str]
) -> None:
    await begun(store, 1, "t1", header_session="s1", agent_name="coder")
    await begun(store, 2, "t2", header_session="s2", upstream="elsewhere")
    await failed(store, 3, "coder")
    page = await store.events_after(query)
    assert [told.event.kind for told in page.events] == kinds
    assert page.last == 7
    assert page.upto == (page.events[-1].event.seq if len(kinds) == query.limit else 7)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (EventQuery(limit=2), [8, 9]),
        (EventQuery(limit=50), list(range(1, 10))),
        (EventQuery(limit=2, task_id="t1"), [2, 3]),
        (EventQuery(limit=2, kinds=frozenset({"started"})), [4, 7]),
        (EventQuery(limit=2, session_id="nobody"), []),
        (EventQuery(limit=2, after=8), [8, 9]),
    ],
)
async def test_the_newest_events_come_oldest_first(
    store: Store, query: EventQuery, expected: list[int]
) -> None:
    for number in (1, 2, 3):
        await begun(store, number, f"t{number}", header_session="s")
    assert numbers(await store.newest_events(query)) == expected


async def test_a_moment_has_its_place_in_the_record(store: Store) -> None:
    for number in (10, 20, 30):  # each tells of its second, and twice of the one after it
        await begun(store, number, f"t{number}")
    moments = (0, 10, 10.5, 11, 12, 20, 21, 30, 31, 99)
    found = [await store.position_at(at(second)) for second in moments]
    assert found == [0, 0, 1, 1, 3, 3, 4, 6, 7, 9]
    assert await store.last_event() == 9


async def test_a_place_beyond_the_end_is_kept(store: Store) -> None:
    await begun(store, 1, "t1")
    page = await store.events_after(EventQuery(after=50))
    assert (page.events, page.upto, page.last, page.more) == ((), 50, 3, False)


SPENT = Check(
    rule="usd",
    policy="p",
    mode=Mode.ENFORCE,
    what="tokens",
    limit=10,
    current=9,
    denies=False,
)


def near(scope: Scope, scope_id: str) -> Change:
    check = replace(SPENT, scope=scope, scope_id=scope_id)
    return BudgetTold(told=Told.NEAR, check=check, at=at(9))


def raised(scope: Scope, scope_id: str) -> Change:
    return BudgetRaised(
        raise_id=f"{scope}",
        budget="usd",
        scope=scope,
        scope_id=scope_id,
        amounts=Amounts(tokens=1),
        at=at(9),
    )


def frozen(scope: Scope, scope_id: str) -> Change:
    return Frozen(freeze=Freeze(scope=scope, scope_id=scope_id, at=at(9)), at=at(9))


@pytest.mark.parametrize("change", [near, raised, frozen])
@pytest.mark.parametrize(
    ("scope", "query"),
    [
        (Scope.SESSION, EventQuery(session_id="x")),
        (Scope.AGENT, EventQuery(agent_name="x")),
        (Scope.UPSTREAM, EventQuery(upstream="x")),
    ],
)
async def test_what_is_about_a_session_an_agent_or_an_upstream_is_found_by_its_name(
    store: Store, change: Callable[[Scope, str], Change], scope: Scope, query: EventQuery
) -> None:
    others = [one for one in (Scope.SESSION, Scope.AGENT, Scope.UPSTREAM) if one is not scope]
    elsewhere = [change(one, "x") for one in others] + [change(Scope.GLOBAL, "*")]
    await store.apply([*elsewhere, change(scope, "x"), near(scope, "y")])
    found = (await store.events_after(query)).events
    assert numbers(found) == [4]
    assert (found[0].session_id, found[0].agent_name, found[0].upstream) == (
        query.session_id,
        query.agent_name,
        query.upstream,
    )
    assert list(await store.newest_events(query)) == list(found)


async def test_what_is_told_of_a_tasks_own_budget_is_a_part_of_its_story(store: Store) -> None:
    await begun(store, 1, "t1", header_session="s1")
    told = BudgetTold(
        told=Told.EXHAUSTED, check=replace(SPENT, scope=Scope.TASK, scope_id="t1"), at=at(9)
    )
    await store.apply([near(Scope.TASK, "t1"), told, raised(Scope.TASK, "t1")])
    *_, first, second, third = await store.events("t1", limit=10)
    assert [first.kind, second.kind, third.kind] == [
        "budget_near",
        "budget_exhausted",
        "budget_raised",
    ]
    assert len((await store.events_after(EventQuery(session_id="s1"))).events) == 6
