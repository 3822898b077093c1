"""Servers that do not answer, and a store that cannot be read: the reaper goes on."""

import asyncio
import logging
from typing import Any

import pytest
from tests.support.waiting import eventually
from tests.unit.reaper.desk import SWEEP_S, Desk

from subagent_sidecar.errors import StoreUnavailable, TaskNotFound, UpstreamUnreachable
from subagent_sidecar.tasks import spawn

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
    desk.reaper.interval_s = 0.05
    loop = spawn(desk.reaper.run(), name="reaper")
    try:
        await eventually(lambda: desk.ender.tasks == ["t"])
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await desk.reaper.aclose()
    assert "what is live cannot be looked at: the file is locked; tried again" in caplog.text


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
