"""What an operator has the reaper do, and how its sweeps are set."""

import asyncio

from tests.support.reaping import rule
from tests.support.waiting import eventually
from tests.unit.reaper.desk import Desk

from subagent_sidecar.core.cancel import Outcome
from subagent_sidecar.core.policy import Mode
from subagent_sidecar.tasks import spawn

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


async def test_by_hand_too_only_so_many_end_at_once() -> None:
    desk = Desk.by(run=60)
    for number in range(1_200):
        await desk.started(f"t{number}")
    await desk.reaper.planned()  # all of them are known, and on their clocks
    desk.clock.tick(60)
    desk.ender.gate = asyncio.Event()
    reaping = spawn(desk.reaper.reap(wait_s=10.0), name="by hand")
    await eventually(lambda: len(desk.ender.asked) >= 500)
    await desk.reaper.planned()
    assert len(desk.ender.asked) == 500
    desk.clock.tick(8)
    desk.ender.gate.set()
    done = await reaping
    assert len(done) == 1_200 and all(each.end is not None for each in done)
    assert {wait_s for _, _, wait_s in desk.ender.asked} == {10.0, 2.0}


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
    desk.reaper.interval_s = 0.0
    await asyncio.wait_for(desk.reaper.run(), 30.0)
    assert desk.ender.asked == []
