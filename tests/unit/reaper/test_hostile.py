"""What a server, a supervisor or an operator may do in the worst moment."""

import asyncio
from typing import Any

from tests.support.reaping import rule
from tests.support.waiting import eventually
from tests.unit.reaper.desk import Desk

from subagent_sidecar.core.policy import Policy
from subagent_sidecar.tasks import spawn


def holds_its_answers(desk: Desk) -> asyncio.Event:
    """Set it, and the server answers what is asked of its runs."""
    gate = asyncio.Event()
    answer = desk.server.run

    async def held(*args: Any, **more: Any) -> Any:
        await gate.wait()
        return await answer(*args, **more)

    desk.server.run = held  # type: ignore[method-assign]
    return gate


async def test_what_the_policy_in_force_would_not_end_is_not_claimed_by_an_earlier_one() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    answers = holds_its_answers(desk)
    desk.clock.tick(60)
    await desk.reaper.sweep()
    desk.service.policy = Policy(lifecycle=(rule("r", run=120),))
    answers.set()
    await desk.reaper.settled()
    assert desk.ender.tasks == [] and await desk.told() == []
    await desk.after(60)
    assert desk.ender.tasks == ["t"]


async def test_whatever_fails_in_a_sweep_the_next_one_comes() -> None:
    desk = Desk.by(run=60)
    await desk.started()
    reaper = desk.another(interval_s=0.01)
    read = desk.store.candidates

    async def fails(*args: Any, **more: Any) -> Any:
        desk.store.candidates = read  # type: ignore[method-assign]
        raise KeyError("paused")

    desk.store.candidates = fails  # type: ignore[method-assign]
    desk.clock.tick(60)
    loop = spawn(reaper.run(), name="reaper")
    await eventually(lambda: desk.ender.tasks == ["t"])
    loop.cancel()
    await reaper.aclose()
