"""What a task looks like that is put on record after the fact (core.adoption), in every store."""

from collections.abc import Sequence

import pytest
from tests.support.books import accepted, at, start
from tests.support.refusals import policy

from subagent_sidecar.core.changes import Adopted, PastRun, Start, ThreadCreated
from subagent_sidecar.core.model import EndedBy, RunStatus, TaskStatus, Thread, ThreadStatus
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.ports import Store

NOW = at(60)


def adopted(
    runs: Sequence[PastRun],
    thread_id: str = "t",
    *,
    thread: ThreadStatus | None = None,
    session: str | None = "chat",
) -> Adopted:
    begin = Start(
        request_id="",
        intent_id=f"adopted/{thread_id}",
        upstream="up",
        supervisor="ann",
        at=runs[0].created_at,
        thread_id=thread_id,
        body_session=session,
        agent_name="coder",
        assistant_id="graph",
    )
    return Adopted(start=begin, runs=tuple(runs), at=NOW, cause="around", thread_status=thread)


def past(run_id: str, status: str, began: int, ended: int | None = None) -> PastRun:
    return PastRun(
        run_id=run_id,
        status=RunStatus(status),
        created_at=at(began),
        ended_at=None if ended is None else at(ended),
    )


async def test_a_task_at_work_is_on_record_as_if_its_start_had_been_seen(store: Store) -> None:
    await store.apply([adopted([past("r1", "running", 3)], thread=ThreadStatus.BUSY)])
    record = await store.task("t")
    assert record is not None
    task, [run] = record.task, record.runs
    assert (task.status, task.run_id, task.agent_name) == (TaskStatus.RUNNING, "r1", "coder")
    assert (task.session_id, task.supervisor, task.upstream) == ("chat", "ann", "up")
    assert (task.created_at, task.started_at, task.last_updated_at) == (at(3), at(3), NOW)
    assert (run.kind, run.status, run.created_at) == ("start", RunStatus.RUNNING, at(3))
    assert await store.thread("t") is not None
    assert [chain.task_id for chain in await store.live_chains("up", after=None, limit=9)] == ["t"]
    assert not await store.open_intents(before=at(99))


async def test_a_chain_of_runs_is_told_in_order_with_the_times_of_its_server(store: Store) -> None:
    runs = [past("r1", "interrupted", 1, 4), past("r2", "error", 3, 6), past("r3", "success", 5, 9)]
    await store.apply([adopted(runs, thread=ThreadStatus.IDLE)])
    record = await store.task("t")
    assert record is not None
    task = record.task
    assert (task.status, task.ended_by) == (TaskStatus.SUCCESS, EndedBy.UPSTREAM)
    assert (task.created_at, task.started_at, task.ended_at) == (at(1), at(3), at(9))
    assert [(run.run_id, run.kind, run.superseded_by) for run in record.runs] == [
        ("r1", "start", "r2"),
        ("r2", "update", "r3"),
        ("r3", "update", None),
    ]
    assert [run.ended_at for run in record.runs] == [at(4), at(6), at(9)]
    events = await store.events("t", limit=99)
    assert events[0].kind == "adopted" and dict(events[0].detail) == {"cause": "around"}
    assert [event.kind for event in events if event.kind == "ended"] == ["ended"]
    assert {event.at for event in events} == {NOW}


async def test_one_that_waits_for_a_human_waits_here_too(store: Store) -> None:
    await store.apply([adopted([past("r1", "success", 1, 2)], thread=ThreadStatus.INTERRUPTED)])
    record = await store.task("t")
    assert record is not None and record.task.status is TaskStatus.WAITING
    assert (record.task.ended_at, record.task.live) == (None, True)


async def test_what_is_on_record_by_now_is_not_adopted(store: Store) -> None:
    intent = await store.admit(start(1, "t"))
    change = adopted([past("r9", "running", 3)])
    await store.apply([change])  # its start is on its way
    assert await store.task("t") is None
    await store.apply([accepted(intent, "r1", 2, thread_id="t")])
    await store.apply([change, change])
    record = await store.task("t")
    assert record is not None and [run.run_id for run in record.runs] == ["r1"]
    assert all(event.kind != "adopted" for event in await store.events("t", limit=9))


async def test_a_child_is_put_under_its_parent_that_came_first(store: Store) -> None:
    await store.apply(
        [
            adopted([past("r1", "running", 1)], "parent"),
            adopted([past("r2", "running", 2)], "child", session="parent"),
        ]
    )
    record = await store.task("child")
    assert record is not None
    task = record.task
    assert (task.parent_task_id, task.depth, task.tree_id) == ("parent", 1, "parent")


async def test_a_thread_that_was_made_here_says_whose_it_is(store: Store) -> None:
    made = Thread(
        thread_id="t", upstream="up", created_at=at(0), supervisor="bob", session_id="bobs"
    )
    await store.apply([ThreadCreated(thread=made), adopted([past("r1", "running", 1)])])
    record = await store.task("t")
    assert record is not None
    assert (record.task.supervisor, record.task.session_id) == ("bob", "bobs")


@pytest.mark.parametrize(
    "rule",
    [
        "limits: [{name: a, concurrent: 2, per: session}]",
        "limits: [{name: a, starts: 2, per: session}]",
        "budgets: [{name: a, runs: 2, per: session}]",
    ],
)
async def test_no_rule_is_asked_of_it_and_every_rule_counts_it(store: Store, rule: str) -> None:
    the_policy: Policy = policy(rule)
    first = await store.admit(start(1, "first", header_session="chat"), the_policy)
    await store.apply([accepted(first, "r1", 1, thread_id="first")])
    for number in range(3):
        await store.apply([adopted([past(f"r{number}", "running", 2)], f"t{number}")])
    refused = store.admit(start(9, "next", header_session="chat"), the_policy)
    with pytest.raises(Exception, match="Not started"):
        await refused
    other = await store.admit(start(10, "other", header_session="elsewhere"), the_policy)
    assert other.thread_id == "other"


async def test_threads_that_are_neither_tasks_nor_about_to_be_are_strangers(store: Store) -> None:
    await store.apply([adopted([past("r1", "running", 1)], "task")])
    await store.admit(start(2, "on-its-way"))
    await store.admit(start(3, "cron", cron=True))
    made = Thread(thread_id="made", upstream="up", created_at=at(0), supervisor="ann")
    await store.apply([ThreadCreated(thread=made)])
    asked = ["task", "on-its-way", "made", "cron", "new", "new"]
    assert await store.unrecorded("up", asked) == {"made": True, "cron": False, "new": False}
    assert await store.unrecorded("other", ["task", "made"]) == {"task": False, "made": False}
    assert await store.unrecorded("up", []) == {}
