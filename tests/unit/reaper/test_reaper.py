"""What the reaper does about its plan: looks once more, claims, ends; and what it does not do."""

import asyncio
import logging
from typing import Any

import pytest
from tests.support.reaping import rule
from tests.support.waiting import eventually
from tests.unit.reaper.desk import SWEEP_S, Desk, Moves

from subagent_sidecar.core.cancel import Outcome
from subagent_sidecar.core.model import EndedBy, RunStatus, TaskStatus
from subagent_sidecar.core.policy import Mode, OnEnd
from subagent_sidecar.errors import (
    StoreUnavailable,
    TaskNotFound,
    UpstreamError,
    UpstreamUnreachable,
)
from subagent_sidecar.tasks import spawn

CANCEL, ABANDON, TERMINATE = OnEnd.REQUEST_CANCEL, OnEnd.ABANDON, OnEnd.TERMINATE


async def test_a_stale_task_is_claimed_ended_and_told_of() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    await desk.after(55)
    assert desk.ender.asked == [] and await desk.told() == []
    await desk.after(5)
    [(task_id, reason, wait_s)] = desk.ender.asked
    assert (task_id, wait_s) == ("t", 0.0)
    assert reason.startswith("clock: Ended before it was done: its run took 60 s, and 60 s is")
    [event] = await desk.told()
    assert (event.kind, event.task_id, event.run_id) == ("reaped", "t", "t/1")
    assert event.detail["evidence"] == "running for 60 s, rule r allows 60 s"
    task = (await desk.record()).task
    assert (task.status, task.ended_by, task.reason) == (
        TaskStatus.CANCELLED,
        EndedBy.REAPER,
        reason,
    )


async def test_a_task_is_ended_once_however_long_that_takes() -> None:
    desk = Desk.by(run=60)
    desk.ender.obeyed = False
    await desk.started()
    await desk.after(600)
    assert desk.ender.tasks == ["t"] and len(await desk.told()) == 1


async def test_of_two_processes_one_ends_it() -> None:
    desk = Desk.by(run=60)
    desk.ender.obeyed = False
    other = desk.another()
    for number in range(20):
        await desk.started(f"t{number}")
    for _ in range(14):
        desk.clock.tick(SWEEP_S)
        await asyncio.gather(desk.sweep(), desk.sweep(other))
    assert sorted(desk.ender.tasks) == sorted(f"t{number}" for number in range(20))
    assert len(await desk.told()) == 20


async def test_a_task_that_goes_on_after_its_end_is_judged_anew() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    await desk.after(60)
    await desk.started(run_id="t/2")
    await desk.after(55)
    assert desk.ender.tasks == ["t"]
    await desk.after(5)
    assert desk.ender.tasks == ["t", "t"]


# Looking once more

MOVED: dict[str, Moves] = {
    "its run has ended": lambda desk: desk.ends("t", "success", seen=False),
    "its run is not there": lambda desk: _lost(desk),
}


async def _lost(desk: Desk) -> None:
    desk.server.threads_["t"].runs.clear()


@pytest.mark.parametrize("what", MOVED)
async def test_what_its_server_shows_otherwise_is_not_ended(what: str) -> None:
    desk = Desk.by(run=60)
    await desk.started()
    await desk.after(55)
    await MOVED[what](desk)
    await desk.after(5)
    assert desk.ender.asked == [] and await desk.told() == []


async def test_what_is_seen_on_that_look_is_on_record() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    await desk.ends("t", "error", "error", seen=False)
    await desk.after(60)
    assert (await desk.record()).task.status is TaskStatus.ERROR


async def test_a_run_that_has_begun_is_not_queued_any_more() -> None:
    desk = Desk.by(queue=60, run=60)
    await desk.started(status="pending")
    desk.server.begin("t/1")
    await desk.after(60)
    assert desk.ender.asked == []
    assert (await desk.record()).runs[0].status is RunStatus.RUNNING
    await desk.after(60)
    assert desk.ender.tasks == ["t"]


async def test_a_run_that_its_server_put_back_into_its_queue_is_still_that_run() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    desk.server.begin("t/1", status="pending")
    await desk.after(60)
    assert desk.ender.tasks == ["t"]


async def test_a_task_that_a_human_answered_is_not_waiting_any_more() -> None:
    desk = Desk.by(waiting=60)
    await desk.started()
    await desk.waits()
    await desk.after(55)
    desk.server.threads_["t"].word = "busy"
    await desk.after(5)
    assert desk.ender.asked == []
    assert (await desk.record()).task.status is TaskStatus.RUNNING


async def test_a_task_that_waits_too_long_ends_without_a_word_to_its_server() -> None:
    desk = Desk.by(waiting=60)
    await desk.started()
    await desk.waits()
    await desk.after(60)
    task = (await desk.record()).task
    assert (task.status, task.ended_by) == (TaskStatus.CANCELLED, EndedBy.REAPER)
    assert (task.reason or "").startswith("Ended: it waited for a human for 60 s, and 60 s is")


async def test_a_thread_at_work_on_something_else_is_looked_at_before_its_end() -> None:
    desk = Desk.by(total=60)
    await desk.started("idle")
    await desk.started("busy")
    for task_id in ("idle", "busy"):
        await desk.ends(task_id, "success", "busy")
    desk.server.threads_["idle"].word = "idle"
    await desk.after(60)
    assert desk.ender.tasks == ["busy"]
    assert (await desk.record("idle")).task.status is TaskStatus.SUCCESS


# Servers that do not answer


async def test_while_its_server_is_down_a_task_is_unknown_not_stale() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    desk.unknown["up"] = "2026-01-01T00:00:30.000000Z"
    await desk.after(600)
    assert desk.ender.asked == [] and desk.server.asked == []
    [held] = await desk.reaper.planned()
    assert held.held == "its server does not tell how it stands, since 2026-01-01T00:00:30Z"
    desk.unknown.clear()
    await desk.sweep()
    assert desk.ender.tasks == ["t"]


async def test_a_server_that_fails_is_left_alone_for_longer_and_longer() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    await desk.started("far")
    desk.server.down = UpstreamUnreachable("refused")
    await desk.after(60)
    assert desk.ender.tasks == ["far"] and len(await desk.told()) == 1
    desk.server.asked.clear()
    await desk.after(300)
    assert 8 <= len(desk.server.asked_for("run")) <= 16  # of 60 sweeps; 30 s is the longest pause
    desk.server.down = None
    await desk.after(35)
    assert desk.ender.tasks == ["far", "t"]


async def test_a_server_that_takes_its_time_holds_up_nobody_else() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    await desk.started("far")
    gate = asyncio.Event()
    slow = desk.server.run

    async def held(*args: Any, **more: Any) -> Any:
        await gate.wait()
        return await slow(*args, **more)

    desk.server.run = held  # type: ignore[method-assign]
    desk.clock.tick(60)
    await desk.reaper.sweep()
    await eventually(lambda: desk.ender.tasks == ["far"])
    desk.clock.tick(SWEEP_S)
    await desk.reaper.sweep()  # and it is not asked about what is on its way
    gate.set()
    await desk.reaper.settled()
    assert desk.ender.tasks == ["far", "t"]


async def test_what_is_claimed_and_could_not_be_cancelled_is_asked_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk.by(run=60)
    desk.ender.errors = [StoreUnavailable("locked"), TaskNotFound("gone")]
    await desk.started()
    await desk.after(70)
    assert desk.ender.tasks == ["t", "t", "t"] and len(await desk.told()) == 1
    assert len({reason for _, reason, _ in desk.ender.asked}) == 1
    messages = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert messages == [
        "task t could not be cancelled: locked; tried again",
        "task t could not be cancelled: gone; tried again",
    ]


async def test_what_a_process_that_died_has_claimed_is_taken_over_after_a_while() -> None:
    desk = Desk.by(run=60)
    desk.ender.obeyed = False
    await desk.started()
    await desk.after(60)
    assert desk.ender.tasks == ["t"]
    desk.reaper = desk.another()
    await desk.after(120)
    assert desk.ender.tasks == ["t"]
    await desk.after(5)
    assert desk.ender.tasks == ["t", "t"]
    await desk.after(600)
    assert desk.ender.tasks == ["t", "t"] and len(await desk.told()) == 1
    assert desk.ender.asked[0][1] == desk.ender.asked[1][1]


async def test_what_cannot_be_claimed_is_not_ended_yet(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk.by(run=60)
    await desk.started()
    await desk.after(55)
    desk.store.down = StoreUnavailable("the file is locked")
    await desk.after(5)
    assert desk.ender.asked == []
    desk.store.down = None
    await desk.sweep()
    assert desk.ender.tasks == ["t"]
    assert "what is to end cannot be claimed: the file is locked; tried again" in caplog.text


async def test_a_sweep_that_cannot_read_is_made_up_for(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk.by(run=60)
    await desk.started()
    desk.clock.tick(60)
    desk.store.unreadable = 1
    desk.reaper._interval_s = 0.05
    loop = spawn(desk.reaper.run(), name="reaper")
    try:
        await eventually(lambda: desk.ender.tasks == ["t"])
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await desk.reaper.aclose()
    assert "what is live cannot be looked at: the file is locked; tried again" in caplog.text


# Silence

QUIET: dict[str, Any] = {"idle": 60, "grace": 0}


async def test_a_session_nobody_hears_of_is_idle() -> None:
    desk = Desk.by(**QUIET)
    await desk.started()
    await desk.after(60)
    assert desk.ender.asked == []  # heard of in the first sweep
    await desk.after(5)
    assert desk.ender.tasks == ["t"]


async def test_what_began_and_ended_between_two_sweeps_was_a_sign_of_life() -> None:
    desk = Desk.by(**QUIET)
    await desk.started()
    await desk.after(40)
    desk.clock.tick(1)
    await desk.started("short")
    await desk.ends("short", "success")
    desk.clock.tick(4)
    await desk.after(50)
    assert desk.ender.asked == []
    await desk.after(10)
    assert desk.ender.tasks == ["t"]


@pytest.mark.parametrize("jump", [-600.0, -30.0, 30.0, 3_600.0])
async def test_a_clock_that_is_set_keeps_nobody_idle_for_ever(jump: float) -> None:
    desk = Desk.by(**QUIET)
    await desk.started()
    await desk.after(30)
    desk.clock.jump(jump)
    await desk.after(30)
    assert desk.ender.asked == []
    await desk.after(35)
    assert desk.ender.tasks == ["t"]


# What is told and not done


async def test_an_observing_rule_is_told_of_once() -> None:
    desk = Desk([rule("o", mode=Mode.OBSERVE, run=60)])
    await desk.started()
    await desk.after(120)
    await desk.sweep(desk.another())
    [event] = await desk.told()
    assert (event.kind, event.detail["rule"], event.detail["mode"]) == (
        "would_reap",
        "o",
        "observe",
    )
    assert desk.ender.asked == [] and desk.server.asked == []
    assert (await desk.record()).runs[0].cancel_asked_by is None


async def test_what_is_left_to_itself_is_told_of_once() -> None:
    desk = Desk.by(on_session_end=ABANDON)
    await desk.started()
    await desk.after(5)
    await desk.session_ends()
    await desk.after(60)
    await desk.sweep(desk.another())
    [event] = await desk.told()
    assert (event.kind, event.detail["key"]) == ("abandoned", "on_session_end")
    assert desk.ender.asked == []


# Trees


async def test_a_tree_ends_the_newest_first_each_waited_for() -> None:
    desk = Desk.by(on_parent_close=CANCEL, on_session_end=CANCEL)
    await desk.started("a")
    await desk.started("b", session="a")
    await desk.started("c", session="b")
    await desk.after(5)
    await desk.session_ends()
    await desk.after(5)
    assert desk.ender.tasks == ["c", "b", "a"]
    assert [wait_s for _, _, wait_s in desk.ender.asked] == [3.0, 3.0, 0.0]
    assert [event.task_id for event in await desk.told()] == ["a", "b", "c"]


async def test_below_a_task_that_was_cancelled_everything_ends() -> None:
    desk = Desk.by(on_parent_close=CANCEL)
    await desk.started("a")
    await desk.started("b", session="a")
    await desk.started("c", session="b")
    await desk.after(5)
    await desk.ends("a", "interrupted")
    await desk.after(5)
    assert desk.ender.tasks == ["c", "b"]


async def test_a_child_whose_parent_turns_out_to_be_done_is_not_dragged_along() -> None:
    desk = Desk([rule("r", run=60), rule("o", on_parent_close=CANCEL, grace=600)])
    await desk.started("a")
    await desk.after(30)
    await desk.started("b", session="a")
    await desk.ends("a", "success", seen=False)
    await desk.after(30)
    assert desk.ender.asked == [] and await desk.told() == []


async def test_the_end_of_a_parent_is_acted_upon_at_once() -> None:
    desk = Desk.by(on_parent_close=CANCEL)
    await desk.started("a")
    await desk.started("b", session="a")
    desk.reaper._interval_s = 3_600.0
    loop = spawn(desk.reaper.run(), name="reaper")
    try:
        await eventually(lambda: desk.reaper._planning.parents == {"a"})
        await desk.ends("a", "interrupted")
        await eventually(lambda: desk.ender.tasks == ["b"], within=30.0)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await desk.reaper.aclose()


async def test_the_end_of_a_session_is_acted_upon_at_once() -> None:
    desk = Desk.by(on_session_end=CANCEL)
    await desk.started()
    desk.reaper._interval_s = 3_600.0
    loop = spawn(desk.reaper.run(), name="reaper")
    try:
        await eventually(lambda: desk.reaper._planning.ages.sweep)
        await desk.session_ends()
        await eventually(lambda: desk.ender.tasks == ["t"], within=30.0)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await desk.reaper.aclose()


# Terminate


async def test_what_is_terminated_is_deleted_after_its_end_and_never_before() -> None:
    desk = Desk.by(on_session_end=TERMINATE)
    desk.ender.obeyed = False
    await desk.started()
    await desk.after(5)
    await desk.session_ends()
    await desk.after(60)
    assert desk.ender.tasks == ["t"] and desk.server.asked_for("delete") == []
    await desk.ends("t", "interrupted")
    await desk.after(60)
    assert desk.server.asked_for("delete") == []  # the server says so; nobody has verified it
    desk.service.cancels.confirmed("t", "t/1")
    await desk.after(60)
    assert desk.server.asked_for("delete") == ["delete t"]
    assert "thread_deleted" in [event.kind for event in await desk.told("thread_deleted")]
    await desk.after(60)
    assert desk.server.asked_for("delete") == ["delete t"]


async def test_nothing_is_deleted_while_the_server_lists_a_run_that_is_live() -> None:
    desk = Desk.by(on_session_end=TERMINATE)
    await desk.started()
    await desk.after(5)
    await desk.session_ends()
    await desk.after(5)
    desk.service.cancels.confirmed("t", "t/1")
    desk.server.begin("unseen", "t")
    await desk.after(60)
    assert desk.server.asked_for("delete") == []
    desk.server.end("unseen", "success", "idle")
    await desk.after(60)
    assert desk.server.asked_for("delete") == ["delete t"]


async def test_a_deletion_that_fails_is_tried_again_also_by_the_next_process() -> None:
    desk = Desk.by(on_session_end=TERMINATE)
    await desk.started()
    await desk.after(5)
    await desk.session_ends()
    await desk.after(5)
    desk.service.cancels.confirmed("t", "t/1")
    desk.server.down = UpstreamError("the server answered 500")
    await desk.after(30)
    desk.reaper = desk.another()
    desk.server.down = None
    await desk.after(5)
    assert desk.server.asked_for("delete") == ["delete t"]


# By hand


async def test_the_plan_tells_and_does_nothing() -> None:
    desk = Desk([rule("r", run=60), rule("o", mode=Mode.OBSERVE, total=30)])
    await desk.started("stale")
    await desk.after(40)
    await desk.started("young")
    desk.clock.tick(20)
    planned = await desk.reaper.planned()
    assert [(each.reap.task_id, each.reap.key, each.held) for each in planned] == [
        ("stale", "run", None)
    ]
    assert desk.ender.asked == [] and [e.kind for e in await desk.told()] == ["would_reap"]


async def test_by_hand_it_says_what_became_of_each() -> None:
    desk = Desk([rule("r", run=60), rule("o", mode=Mode.OBSERVE, total=30)])
    await desk.started("ends")
    await desk.started("far")
    await desk.started("gone")
    await desk.ends("gone", "success", seen=False)
    desk.unknown["far"] = "2026-01-01T00:00:30.000000Z"
    await desk.sweep()
    desk.clock.tick(60)
    done = {each.reap.task_id: each for each in await desk.reaper.reap(wait_s=10.0)}
    ended = done["ends"].end
    assert ended is not None and ended.outcome is Outcome.CANCELLED
    assert desk.ender.asked[0][2] == 10.0
    assert done["gone"].why == "it has moved meanwhile, or somebody else ends it"
    assert (done["far"].why or "").startswith("its server does not tell")


# Odds and ends


async def test_one_record_that_cannot_be_read_keeps_no_other_from_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk.by(run=60)
    await desk.started("odd")
    await desk.started()
    desk.store._tables.tasks["odd"].created_at = "yesterday"  # type: ignore[misc]
    await desk.after(65)
    assert desk.ender.tasks == ["t"]
    assert "task odd cannot be looked at" in caplog.text


async def test_nor_does_a_session_whose_record_cannot_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk.by(run=60, lease=30)
    await desk.started()
    await desk.after(5)
    await desk.service.sessions.beat("ann", "s", lease_s=None, reopen=False)
    await desk.service.entered()
    session = desk.store._tables.sessions["ann", "s"]
    session.last_beat_at = "yesterday"  # type: ignore[misc]
    desk.reaper = desk.another()
    await desk.after(60)
    assert desk.ender.tasks == ["t"]
    assert "what session s said cannot be read" in caplog.text


async def test_a_policy_that_is_replaced_holds_from_the_next_sweep_on() -> None:
    desk = Desk.by(run=600)
    await desk.started()
    await desk.after(60)
    desk.service.policy = Desk.by(run=60).service.policy
    await desk.sweep()
    assert desk.ender.tasks == ["t"]


async def test_so_many_that_end_at_once_end_in_turns() -> None:
    desk = Desk.by(run=60)
    for number in range(1_200):
        await desk.started(f"t{number}")
    desk.clock.tick(60)
    for _ in range(3):
        await desk.sweep()
    assert len(set(desk.ender.tasks)) == 1_200


async def test_an_interval_of_nothing_lets_nothing_end_by_itself() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    desk.reaper._interval_s = 0.0
    await asyncio.wait_for(desk.reaper.run(), 5.0)
    assert desk.ender.asked == []
