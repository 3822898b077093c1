"""What the reaper does about a stale task: once, and not where its server shows otherwise."""

import asyncio

import pytest
from tests.unit.reaper.desk import SWEEP_S, Desk, Moves

from subagent_sidecar.core.model import EndedBy, RunStatus, TaskStatus


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
