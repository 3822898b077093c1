"""Sessions as every store keeps and lists them (ports.Store)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.books import accepted, at, start

from subagent_sidecar.core.changes import (
    Change,
    Polled,
    RunSeen,
    SessionBeat,
    SessionEnded,
    UsageSeen,
)
from subagent_sidecar.core.feed import EventQuery
from subagent_sidecar.core.model import EndedBy, Event, RunStatus, UsageEntry
from subagent_sidecar.core.sessions import Session, SessionLine, SessionQuery
from subagent_sidecar.ports import Store


def beat(second: float, session: str = "s", **facts: Any) -> SessionBeat:
    return SessionBeat(**{"supervisor": "ann", "session_id": session, "at": at(second), **facts})


def end(second: float, session: str = "s", **facts: Any) -> SessionEnded:
    usual = {"supervisor": "ann", "session_id": session, "at": at(second)}
    return SessionEnded(**{**usual, "by": EndedBy.SUPERVISOR, **facts})


async def begun(store: Store, number: int, task_id: str, session: str = "s", **facts: str) -> None:
    """A task that was started in second `number`."""
    intent = await store.admit(start(number, task_id, header_session=session, **facts))
    await store.apply([accepted(intent, f"r{number}", number, thread_id=task_id)])


async def over(store: Store, number: int, task_id: str, second: float) -> None:
    seen = RunSeen(thread_id=task_id, run_id=f"r{number}", status=RunStatus.SUCCESS, at=at(second))
    await store.apply([seen])


async def session_events(store: Store) -> list[Event]:
    kinds = frozenset({"session_beat", "session_ended"})
    return [told.event for told in await store.newest_events(EventQuery(kinds=kinds))]


async def lines(store: Store, **filters: Any) -> list[SessionLine]:
    return list((await store.sessions(SessionQuery(**filters))).sessions)


async def listed(store: Store, **filters: Any) -> list[str]:
    return [line.session_id for line in await lines(store, **filters)]


async def test_a_session_that_only_starts_tasks_has_no_row(store: Store) -> None:
    await begun(store, 1, "t1")
    assert await store.session("ann", "s") is None
    assert list(await store.leases(limit=9)) == []


async def test_heartbeats_renew_a_lease_and_only_the_first_is_an_event(store: Store) -> None:
    await store.apply([beat(1, lease_s=90), beat(2, times=3)])
    assert await store.session("ann", "s") == Session(
        session_id="s", supervisor="ann", first_beat_at=at(1), last_beat_at=at(2), beats=4
    )
    (told,) = await session_events(store)
    assert (told.kind, dict(told.detail)) == (
        "session_beat",
        {"session": "s", "supervisor": "ann", "lease_s": 90},
    )


async def test_what_the_last_heartbeat_asked_for_is_kept(store: Store) -> None:
    await store.apply([beat(1), beat(2, lease_s=90)])
    session = await store.session("ann", "s")
    assert session is not None and session.lease_s == 90


async def test_one_supervisor_ends_no_session_of_another_by_the_same_name(store: Store) -> None:
    await store.apply([beat(1), beat(1, supervisor="bob"), end(2, supervisor="bob")])
    ann, bob = await store.session("ann", "s"), await store.session("bob", "s")
    assert ann is not None and bob is not None
    assert (ann.ended, bob.ended) == (False, True)


async def test_an_end_says_who_when_and_why(store: Store) -> None:
    await store.apply([end(5, by=EndedBy.OPERATOR, reason="enough", tasks=("a", "b"))])
    session = await store.session("ann", "s")
    assert session is not None
    assert (session.ended_at, session.ended_by, session.reason) == (
        at(5),
        EndedBy.OPERATOR,
        "enough",
    )
    assert session.ended_after(at(5)) and not session.ended_after(at(5.1))
    (told,) = await session_events(store)
    assert dict(told.detail) == {
        "session": "s",
        "supervisor": "ann",
        "by": "operator",
        "reason": "enough",
        "tasks": ["a", "b"],
        "count": 2,
    }


async def test_an_end_names_twenty_tasks_at_most(store: Store) -> None:
    await store.apply([end(5, tasks=tuple(f"t{n}" for n in range(50)))])
    (told,) = await session_events(store)
    assert (len(told.detail["tasks"]), told.detail["count"]) == (20, 50)


async def test_an_end_that_is_told_again_changes_nothing_but_reaches_further(store: Store) -> None:
    await store.apply([end(5, reason="first"), end(6, reason="again", by=EndedBy.OPERATOR)])
    session = await store.session("ann", "s")
    assert session is not None
    assert (session.ended_at, session.reason, session.ended_by) == (
        at(6),
        "first",
        EndedBy.SUPERVISOR,
    )
    assert len(await session_events(store)) == 1


async def test_an_end_that_meets_new_tasks_is_told_once_more(store: Store) -> None:
    await store.apply([end(5), end(9, reason="again", tasks=("t",))])
    session = await store.session("ann", "s")
    assert session is not None and (session.ended_at, session.reason) == (at(9), "again")
    assert [event.kind for event in await session_events(store)] == ["session_ended"] * 2


async def test_a_heartbeat_that_comes_after_the_end_changes_nothing(store: Store) -> None:
    await store.apply([beat(1), end(5)])
    before = await store.session("ann", "s")
    await store.apply([beat(6), beat(4, reopen=True)])
    assert await store.session("ann", "s") == before


async def test_a_session_that_says_so_is_open_again_and_its_end_stays_true_of_the_past(
    store: Store,
) -> None:
    await store.apply([beat(1), end(5), beat(6, reopen=True), beat(7)])
    session = await store.session("ann", "s")
    assert session is not None
    assert (session.ended, session.reopened_at, session.first_beat_at) == (False, at(6), at(6))
    assert session.ended_after(at(4)) and not session.ended_after(at(5.5))
    kinds = [(event.kind, event.detail.get("reopened")) for event in await session_events(store)]
    assert kinds == [("session_beat", None), ("session_ended", None), ("session_beat", True)]


async def test_changes_that_come_twice_and_late_are_entered_once(store: Store) -> None:
    story: list[Change] = [beat(1), end(5, reason="r"), beat(6, reopen=True)]
    await store.apply(story)
    before = await store.session("ann", "s")
    await store.apply([end(5, reason="r")])
    assert await store.session("ann", "s") == before
    await store.apply([end(8)])
    await store.apply([beat(6, reopen=True)])
    session = await store.session("ann", "s")
    assert session is not None and session.ended


async def test_leases_are_those_of_sessions_with_a_live_task(store: Store) -> None:
    for number, session in enumerate(("a", "b", "c", "silent")):
        await begun(store, number, f"t-{session}", session)
    await over(store, 1, "t-b", 9)
    await begun(store, 8, "bob's", "c", supervisor="bob")
    await store.apply([beat(10, "a"), beat(10, "b"), end(11, "c"), beat(10, "taskless")])
    await store.apply([end(11, "c", supervisor="bob")])
    found = await store.leases(limit=9)
    assert [session.key for session in found] == [("ann", "a"), ("ann", "c"), ("bob", "c")]
    paged = await store.leases(limit=1)
    rest = await store.leases(after=paged[-1].key, limit=9)
    assert [*paged, *rest] == list(found)


async def test_a_session_is_listed_with_what_its_tasks_tell(store: Store) -> None:
    await begun(store, 1, "t1")
    await over(store, 1, "t1", 20)
    await begun(store, 2, "t2")
    await begun(store, 5, "t2")  # a follow-up
    used = UsageEntry(
        task_id="t1",
        message_id="m",
        run_id="r1",
        at=at(3),
        model="m-1",
        input_tokens=10,
        output_tokens=2,
        cost_micro_usd=7,
    )
    unpriced = replace(used, message_id="n", cost_micro_usd=None)
    await store.apply([UsageSeen(thread_id="t1", run_id="r1", entries=(used, unpriced))])
    (line,) = await lines(store)
    assert line == SessionLine(
        session_id="s",
        supervisor="ann",
        live=1,
        tasks=2,
        first_at=at(1),
        last_sign_at=at(5),
        tokens=24,
        cost_micro_usd=7,
        unpriced=1,
    )


async def test_questions_and_heartbeats_are_signs_of_life_and_what_servers_do_is_not(
    store: Store,
) -> None:
    await begun(store, 1, "t1")
    await over(store, 1, "t1", 50)
    assert (await lines(store))[0].last_sign_at == at(1)
    await store.apply([Polled(task_id="t1", times=1, at=at(60))])
    assert (await lines(store))[0].last_sign_at == at(60)
    await store.apply([beat(70)])
    assert (await lines(store))[0].last_sign_at == at(70)


async def test_a_session_that_started_nothing_yet_is_listed_by_its_heartbeats(store: Store) -> None:
    await store.apply([beat(3), beat(4)])
    (line,) = await lines(store)
    assert (line.live, line.tasks, line.first_at, line.last_sign_at) == (0, 0, at(3), at(4))
    assert line.row is not None and line.row.beats == 2


async def test_a_session_that_is_a_tasks_thread_names_that_task(store: Store) -> None:
    await begun(store, 1, "parent", "root")
    await begun(store, 2, "child", "parent")
    await begun(store, 3, "default:ann", "root")
    await begun(store, 4, "of nobody's", "default:ann")
    found = {line.session_id: line.parent_task_id for line in await lines(store)}
    assert found == {"root": None, "parent": "parent", "default:ann": None}


async def test_sessions_with_live_tasks_come_first_then_the_last_that_showed_life(
    store: Store,
) -> None:
    for number, session in enumerate(("old-live", "new-live", "old", "new"), start=1):
        await begun(store, number, f"t-{session}", session)
    await over(store, 3, "t-old", 20)
    await over(store, 4, "t-new", 20)
    assert await listed(store) == ["new-live", "old-live", "new", "old"]
    await store.apply([beat(30, "old-live"), beat(31, "old")])
    assert await listed(store) == ["old-live", "new-live", "old", "new"]


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_pages_hold_each_session_once(store: Store, limit: int) -> None:
    for number in range(6):
        await begun(store, number, f"t{number}", f"s{number}")
        if number % 2:
            await over(store, number, f"t{number}", 20)
    await begun(store, 7, "bob's", "s1", supervisor="bob")
    found: list[tuple[str, str]] = []
    query = SessionQuery(limit=limit)
    for _ in range(10):
        page = await store.sessions(query)
        found += [line.key for line in page.sessions]
        if page.next_after is None:
            break
        query = replace(query, after=page.next_after)
    everything = await store.sessions(SessionQuery(limit=100))
    assert found == [line.key for line in everything.sessions]
    assert len(set(found)) == 7


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"live", "lately", "long-ago", "beating", "silent"}),
        ({"since": at(50)}, {"live", "lately", "beating"}),
        ({"session_id": "long-ago"}, {"long-ago"}),
        ({"supervisor": "bob"}, {"lately"}),
        ({"agent_name": "coder"}, {"live"}),
        ({"upstream": "elsewhere"}, {"long-ago"}),
        ({"upstream": "elsewhere", "since": at(50)}, set()),
        ({"session_id": "nobody"}, set()),
    ],
)
async def test_filters_say_which_sessions_are_listed(
    store: Store, filters: dict[str, Any], expected: set[str]
) -> None:
    await begun(store, 1, "a", "live", agent_name="coder")
    await begun(store, 2, "a2", "live", agent_name="painter")
    await begun(store, 3, "b", "lately", supervisor="bob")
    await over(store, 3, "b", 60)
    await begun(store, 4, "c", "long-ago", upstream="elsewhere")
    await over(store, 4, "c", 10)
    await store.apply([beat(55, "beating"), end(5, "silent")])
    found = await lines(store, **filters)
    assert {line.session_id for line in found} == expected
    assert {line.live for line in found if line.session_id == "live"} <= {2}


async def test_what_sessions_said_is_forgotten_when_it_is_old_and_no_task_is_left(
    store: Store,
) -> None:
    await begun(store, 1, "old", "done")
    await over(store, 1, "old", 5)
    await begun(store, 2, "live", "busy")
    await begun(store, 3, "newest", "other")
    story = [beat(1, name) for name in ("idle", "beating", "done", "busy", "bob's")]
    await store.apply([*story, end(4, "done"), end(3, "over"), beat(50, "beating")])
    await store.apply([beat(60, "idle", supervisor="bob")])
    removed = []
    while count := await store.prune(at(20), limit=2):
        removed.append(count)
    assert max(removed) <= 2
    left = {
        (who, name)
        for who in ("ann", "bob")
        for name in ("idle", "beating", "done", "busy", "over", "bob's")
        if await store.session(who, name) is not None
    }
    assert left == {("ann", "beating"), ("ann", "busy"), ("bob", "idle")}
    assert await store.prune(at(20), limit=2) == 0
    await over(store, 2, "live", 6)
    await begun(store, 9, "newer", "other")  # or its event would be the newest, which stays
    while await store.prune(at(55), limit=9):
        pass
    assert await store.session("ann", "busy") is None
    assert await store.session("bob", "idle") is not None


async def test_events_about_a_session_are_found_by_it(store: Store) -> None:
    await begun(store, 1, "t1", "s1")
    await store.apply([beat(2, "s1"), beat(2, "s2"), end(3, "s1")])
    page = await store.events_after(EventQuery(session_id="s1"))
    kinds = [(told.event.kind, told.session_id) for told in page.events]
    assert kinds == [("started", "s1"), ("session_beat", "s1"), ("session_ended", "s1")]
