"""Who is idle, and what is told without being done."""

from typing import Any

import pytest
from tests.support.reaping import rule
from tests.unit.reaper.desk import Desk

from subagent_sidecar.core.policy import Mode, OnEnd
from subagent_sidecar.ports import ServerRun

CANCEL, ABANDON, TERMINATE = OnEnd.REQUEST_CANCEL, OnEnd.ABANDON, OnEnd.TERMINATE
# Silence

QUIET: dict[str, Any] = {"idle": 60, "grace": 0}


async def test_a_session_nobody_hears_of_is_idle() -> None:
    desk = Desk.by(**QUIET)
    await desk.started()
    await desk.after(60)
    assert desk.ender.asked == []  # heard of in the first sweep
    await desk.after(5)
    assert desk.ender.tasks == ["t"]


async def test_a_poll_just_before_the_sweep_is_a_sign_of_life() -> None:
    desk = Desk.by(**QUIET)
    await desk.started()
    await desk.after(60)
    desk.service.polls.polled("t")
    await desk.after(55)
    assert desk.ender.asked == []
    await desk.after(10)
    assert desk.ender.tasks == ["t"]


async def test_so_is_one_while_its_server_shows_how_the_task_stands() -> None:
    desk = Desk.by(**QUIET)
    await desk.started()
    await desk.after(60)
    shown = desk.server.run

    async def asked_after(*args: Any, **more: Any) -> ServerRun | None:
        desk.service.polls.polled("t")
        return await shown(*args, **more)

    desk.server.run = asked_after  # type: ignore[method-assign]
    await desk.after(5)
    assert desk.ender.asked == [] and await desk.told() == []
    desk.server.run = shown  # type: ignore[method-assign]
    await desk.after(65)
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
