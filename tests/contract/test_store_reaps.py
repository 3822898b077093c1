"""What every store shows the reaper, and lets it claim (ports.Store.candidates, claim_reaps)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.books import accepted, at, start
from tests.support.reaping import reap_of

from subagent_sidecar.core.candidates import Candidate, Key, ReapClaim
from subagent_sidecar.core.changes import (
    CancelAsked,
    CancelUnconfirmed,
    Polled,
    RunSeen,
    SessionBeat,
    Terminated,
    ThreadSeen,
)
from subagent_sidecar.core.model import (
    EndedBy,
    RunStatus,
    TaskRecord,
    TaskStatus,
    ThreadStatus,
)
from subagent_sidecar.core.policy import Mode, OnEnd
from subagent_sidecar.ports import Store


async def started(
    store: Store,
    number: int,
    *,
    status: RunStatus = RunStatus.RUNNING,
    task_id: str | None = None,
    **facts: Any,
) -> str:
    """The run `r<number>` of the task `t<number>`, or a further one of another task."""
    task_id = task_id or f"t{number}"
    intent = await store.admit(start(number, task_id, **facts))
    run = accepted(intent, f"r{number}", number + 0.5, thread_id=task_id, status=status)
    await store.apply([run])
    return task_id


async def seen(store: Store, number: int, status: RunStatus, second: float = 50) -> None:
    change = RunSeen(thread_id=f"t{number}", run_id=f"r{number}", status=status, at=at(second))
    await store.apply([change])


async def waits(store: Store, number: int) -> None:
    await seen(store, number, RunStatus.SUCCESS)
    change = ThreadSeen(thread_id=f"t{number}", status=ThreadStatus.INTERRUPTED, at=at(51))
    await store.apply([change])


async def live(store: Store, upstream: str = "up") -> dict[str, Candidate]:
    found = await store.candidates(upstream, after=None, limit=100)
    return {each.task_id: each for each in found}


async def claim(store: Store, task_id: str, second: float = 60, **said: Any) -> bool:
    """Have a task claimed as it is now."""
    reap = reap_of((await live(store))[task_id], **said)
    [claimed] = await store.claim_reaps([ReapClaim(reap, at(second))])
    return claimed


async def record(store: Store, task_id: str) -> TaskRecord:
    found = await store.task(task_id)
    assert found is not None
    return found


async def told(store: Store, task_id: str) -> list[str]:
    return [event.kind for event in await store.events(task_id, limit=100)]


# What there is to look at


async def test_the_live_tasks_of_an_upstream_are_shown_with_their_current_run(store: Store) -> None:
    await started(store, 1, assistant_id="coder", header_session="s")
    await started(store, 2, status=RunStatus.PENDING)
    await started(store, 3)
    await seen(store, 3, RunStatus.ERROR)
    await started(store, 4, upstream="far")
    await started(store, 5, task_id="t1")
    await store.apply([Polled(task_id="t1", times=3, at=at(6))])
    found = await live(store)
    assert list(found) == ["t1", "t2"]
    one, two = found.values()
    assert (one.supervisor, one.session_id, one.agent_name) == ("ann", "s", "coder")
    assert (one.status, one.run_id, one.run_status) == (TaskStatus.RUNNING, "r5", RunStatus.RUNNING)
    assert (one.created_at, one.run_created_at, one.run_started_at) == (at(1), at(5), at(5.5))
    assert (one.polls, one.claimed, one.depth, one.parent_end) == (3, False, 0, None)
    assert (two.run_status, two.run_started_at) == (RunStatus.PENDING, None)
    assert list(await live(store, "far")) == ["t4"]


async def test_they_come_in_pages(store: Store) -> None:
    for number in range(1, 6):
        await started(store, number)
    first = await store.candidates("up", after=None, limit=2)
    after = first[-1].created_at, first[-1].task_id
    rest = await store.candidates("up", after=after, limit=10)
    assert [each.task_id for each in (*first, *rest)] == ["t1", "t2", "t3", "t4", "t5"]


async def test_a_child_knows_how_its_parent_ended(store: Store) -> None:
    await started(store, 1)
    await started(store, 2, header_session="t1")
    child = (await live(store))["t2"]
    assert (child.parent_task_id, child.depth, child.parent_end) == ("t1", 1, None)
    await seen(store, 1, RunStatus.SUCCESS)
    assert (await live(store))["t2"].parent_end is None  # it may be waiting: who knows yet
    await store.apply([ThreadSeen(thread_id="t1", status=ThreadStatus.IDLE, at=at(51))])
    child = (await live(store))["t2"]
    assert (child.parent_end, child.parent_ended_at) == (TaskStatus.SUCCESS, at(50))


async def test_a_parent_that_waits_has_not_ended(store: Store) -> None:
    await started(store, 1)
    await started(store, 2, header_session="t1")
    await waits(store, 1)
    assert (await live(store))["t2"].parent_end is None


# Claiming


async def test_what_is_claimed_is_to_be_cancelled_and_says_why(store: Store) -> None:
    await started(store, 1)
    assert await claim(store, "t1")
    run = (await record(store, "t1")).runs[0]
    assert (run.cancel_asked_by, run.cancel_asked_at) == (EndedBy.REAPER, at(60))
    assert run.cancel_reason == "clock: it ran for too long"
    assert (await live(store))["t1"].claimed
    *_, reaped, asked = await store.events("t1", limit=9)
    assert (reaped.kind, reaped.run_id, reaped.status) == ("reaped", "r1", "running")
    assert reaped.detail == {
        "rule": "clocks",
        "policy": "p",
        "mode": "enforce",
        "key": "run",
        "action": "request_cancel",
        "evidence": "running for 31 min, rule clocks allows 30 min",
    }
    assert (asked.kind, asked.detail["by"]) == ("cancel_asked", "reaper")
    assert [each[1:] for each in await store.ends_asked(limit=9)] == [("t1", "r1")]


async def test_a_task_is_claimed_once_for_a_run(store: Store) -> None:
    await started(store, 1)
    plan = reap_of((await live(store))["t1"])
    twice = [ReapClaim(plan, at(60)), ReapClaim(plan, at(61))]
    assert list(await store.claim_reaps(twice)) == [True, False]
    assert list(await store.claim_reaps(twice)) == [False, False]
    assert (await told(store, "t1")).count("reaped") == 1
    await started(store, 2, task_id="t1")
    assert await claim(store, "t1")


MOVED: dict[str, Callable[[Store], Awaitable[object]]] = {
    "ended": lambda store: seen(store, 1, RunStatus.SUCCESS),
    "began": lambda store: seen(store, 1, RunStatus.RUNNING),
    "went on": lambda store: started(store, 2, task_id="t1"),
    "is about to go on": lambda store: store.admit(start(2, "t1")),
}


@pytest.mark.parametrize("what", MOVED)
async def test_what_moved_since_it_was_judged_is_not_claimed(store: Store, what: str) -> None:
    await started(store, 1, status=RunStatus.PENDING)
    plan = reap_of((await live(store))["t1"], key=Key.QUEUE)
    await MOVED[what](store)
    assert list(await store.claim_reaps([ReapClaim(plan, at(60))])) == [False]
    assert "reaped" not in await told(store, "t1")


async def test_one_that_is_not_there_is_not_claimed(store: Store) -> None:
    await started(store, 1)
    plan = reap_of((await live(store))["t1"], task_id="nobody")
    assert list(await store.claim_reaps([ReapClaim(plan, at(60))])) == [False]


@pytest.mark.parametrize(
    ("by", "unheeded", "claimed"),
    [
        (EndedBy.OPERATOR, False, False),
        (EndedBy.OPERATOR, True, False),
        (EndedBy.SUPERVISOR, False, False),
        (EndedBy.SUPERVISOR, True, True),
    ],
)
async def test_what_somebody_else_is_ending_is_left_to_them(
    store: Store, by: EndedBy, unheeded: bool, claimed: bool
) -> None:
    """A supervisor's cancel that is not obeyed is the one that nobody presses any further."""
    await started(store, 1)
    await store.apply([CancelAsked(thread_id="t1", run_id="r1", by=by, at=at(20))])
    if unheeded:
        change = CancelUnconfirmed(thread_id="t1", run_id="r1", at=at(30), tried=("interrupt",))
        await store.apply([change])
    assert await claim(store, "t1") is claimed


async def test_a_task_that_waits_for_a_human_ends_with_the_claim(store: Store) -> None:
    await started(store, 1)
    await waits(store, 1)
    assert await claim(store, "t1", key=Key.WAITING, reason="too long")
    task = (await record(store, "t1")).task
    assert (task.status, task.ended_by) == (TaskStatus.CANCELLED, EndedBy.REAPER)
    assert (task.reason, task.ended_at) == ("too long", at(60))
    assert (await told(store, "t1"))[-2:] == ["reaped", "ended"]


async def test_a_run_that_ended_before_its_cancel_leaves_the_task_to_be_claimed_anew(
    store: Store,
) -> None:
    await started(store, 1)
    assert await claim(store, "t1", action=OnEnd.TERMINATE)
    await waits(store, 1)
    assert not (await live(store))["t1"].claimed
    assert await claim(store, "t1", key=Key.WAITING, action=OnEnd.TERMINATE)
    assert [each[1:] for each in await store.to_terminate(limit=9)] == [("t1", "r1")] * 2
    await store.apply([Terminated(task_id="t1", run_id="r1", at=at(71))])
    assert await store.to_terminate(limit=9) == []


async def test_a_session_that_was_heard_since_keeps_its_tasks(store: Store) -> None:
    await started(store, 1, header_session="s")
    beat = SessionBeat(supervisor="ann", session_id="s", at=at(10))
    await store.apply([beat])
    plan = reap_of((await live(store))["t1"], key=Key.LEASE, beats=1)
    await store.apply([SessionBeat(supervisor="ann", session_id="s", at=at(59))])
    assert list(await store.claim_reaps([ReapClaim(plan, at(60))])) == [False]
    assert await claim(store, "t1", key=Key.LEASE, beats=2)


async def test_a_child_is_claimed_after_its_parent_or_not_at_all(store: Store) -> None:
    await started(store, 1)
    await started(store, 2, header_session="t1")
    found = await live(store)
    parent, child = reap_of(found["t1"]), reap_of(found["t2"], key=Key.ON_PARENT_CLOSE)
    assert list(await store.claim_reaps([ReapClaim(child, at(60))])) == [False]
    both = [ReapClaim(parent, at(60)), ReapClaim(child, at(60))]
    assert list(await store.claim_reaps(both)) == [True, True]


@pytest.mark.parametrize("word", [ThreadStatus.IDLE, ThreadStatus.INTERRUPTED, None])
async def test_a_parent_that_is_found_waiting_after_all_keeps_its_child(
    store: Store, word: ThreadStatus | None
) -> None:
    await started(store, 1)
    await started(store, 2, header_session="t1")
    await seen(store, 1, RunStatus.SUCCESS)
    if word is not None:
        await store.apply([ThreadSeen(thread_id="t1", status=word, at=at(51))])
    assert await claim(store, "t2", key=Key.ON_PARENT_CLOSE) is (word is ThreadStatus.IDLE)


async def test_a_parent_that_is_about_to_go_on_keeps_its_child(store: Store) -> None:
    await started(store, 1)
    await started(store, 2, header_session="t1")
    await seen(store, 1, RunStatus.ERROR)
    await store.admit(start(70, "t1"))
    assert not await claim(store, "t2", key=Key.ON_PARENT_CLOSE)


# Told once

ONLY_TOLD: dict[str, dict[str, Any]] = {
    "would_reap": {"mode": Mode.OBSERVE},
    "abandoned": {"action": OnEnd.ABANDON, "key": Key.ON_SESSION_END},
}


@pytest.mark.parametrize("kind", ONLY_TOLD)
async def test_what_is_only_told_is_told_once_by_each_rule(store: Store, kind: str) -> None:
    await started(store, 1)
    said = ONLY_TOLD[kind]
    assert await claim(store, "t1", **said)
    assert not await claim(store, "t1", **said)
    assert await claim(store, "t1", **{**said, "rule": "other"})
    assert (await told(store, "t1")).count(kind) == 2
    found = (await live(store))["t1"]
    assert not found.claimed and (await record(store, "t1")).runs[0].cancel_asked_by is None
    assert await claim(store, "t1")


# What is to be terminated


async def test_what_was_to_be_terminated_is_open_from_its_end_until_that_was_done(
    store: Store,
) -> None:
    for number in (1, 2):
        await started(store, number)
    assert await claim(store, "t1", action=OnEnd.TERMINATE, second=61)
    assert await claim(store, "t2", action=OnEnd.REQUEST_CANCEL, second=62)
    assert await store.to_terminate(limit=9) == []
    for number in (1, 2):
        await seen(store, number, RunStatus.INTERRUPTED, 70)
    assert list(await store.to_terminate(limit=9)) == [("up", "t1", "r1")]
    await store.apply([Terminated(task_id="t1", run_id="r1", at=at(71))])
    assert await store.to_terminate(limit=9) == []


async def test_claims_go_with_the_tasks_they_were_about(store: Store) -> None:
    await started(store, 1)
    await started(store, 2)
    assert await claim(store, "t1", action=OnEnd.TERMINATE)
    await seen(store, 1, RunStatus.INTERRUPTED, 70)
    await started(store, 80)  # the newest task is never pruned, nor the newest event
    while await store.prune(at(90), limit=10):
        pass
    assert await store.task("t1") is None and await store.to_terminate(limit=9) == []
