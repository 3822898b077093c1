"""When budgets are asked, what is told of them, and which tasks end."""

import asyncio
import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.waiting import eventually
from tests.unit.budget_watch.desk import SWEEP_S, Desk, budget

from subagent_sidecar.core.cancel import Outcome
from subagent_sidecar.core.matching import EVERYTHING, Glob, Match, Scope
from subagent_sidecar.core.policy import Amounts, Mode, OnExhausted, OnUnpriced
from subagent_sidecar.errors import StoreUnavailable, TaskNotFound
from subagent_sidecar.tasks import spawn

DENY = OnExhausted.DENY_NEW


async def test_nothing_is_told_below_the_soft_threshold() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    await desk.spends("t", 79)
    assert await desk.told() == [] and desk.ender.asked == []


async def test_the_soft_threshold_is_told_once() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    for spent in (80, 81, 99):
        await desk.spends("t", spent)
        await desk.sweep()
    [near] = await desk.told()
    assert near.kind == "budget_near" and near.task_id is None
    assert near.detail == {
        "rule": "b",
        "policy": "p",
        "mode": "enforce",
        "what": "micro_usd",
        "limit": 100,
        "current": 80,
        "scope": "session",
        "scope_id": "s",
    }


async def test_a_spent_budget_ends_every_live_task_it_counts_and_no_other() -> None:
    desk = Desk([budget(match=Match(agent=(Glob("cod*"),)))])
    await desk.started("spender")
    await desk.started("idle")
    await desk.started("over")
    desk.ended("over")
    await desk.started("elsewhere", session="s2")
    await desk.started("writer", agent="writer")
    await desk.spends("spender", 100)
    assert sorted(desk.ender.tasks) == ["idle", "spender"]
    [_, exhausted] = await desk.told()
    assert exhausted.kind == "budget_exhausted"
    assert sorted(exhausted.detail["tasks"]) == ["idle", "spender"]
    assert exhausted.detail["count"] == 2
    reason = desk.ender.asked[0][1]
    assert "of this kind" not in reason
    assert reason.startswith(
        "Cancelled before its end: the budget in this session is spent: 0.0001 of 0.0001 USD. "
        "Do not start it again"
    )
    assert reason.endswith("(rule b of policy p; it refuses new starts as well)")


@pytest.mark.parametrize("per", list(Scope))
async def test_every_scope_ends_its_own_tasks(per: Scope) -> None:
    desk = Desk([budget(per=per)])
    await desk.started("t")
    await desk.started("child", session="t")
    await desk.started("stranger", session="s2", agent="writer")
    await desk.spends("t", 100)
    everybody = {"t", "child", "stranger"}
    ends = {
        Scope.TASK: {"t"},
        Scope.SESSION: {"t"},
        Scope.AGENT: {"t", "child"},
        Scope.TREE: {"t", "child"},
    }
    assert set(desk.ender.tasks) == ends.get(per, everybody)


async def test_a_task_is_asked_to_end_once_for_its_run() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    await desk.spends("t", 100)
    await desk.spends("t", 120)
    await desk.sweep()
    assert desk.ender.tasks == ["t"]
    assert [event.kind for event in await desk.told()] == ["budget_near", "budget_exhausted"]


async def test_a_start_that_arrives_after_the_end_of_the_budget_ends_too() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    desk.go_by()  # as if it had been let in a moment before
    late = await desk.started("late")
    desk.go_by(*desk.budgets)
    await desk.spends("t", 100)
    assert sorted(desk.ender.tasks) == ["late", "t"] and late.thread_id == "late"


@pytest.mark.parametrize("outcome", [Outcome.IN_DOUBT, Outcome.WENT_ON])
async def test_what_nobody_pursues_is_asked_for_again(outcome: Outcome) -> None:
    desk = Desk([budget()])
    desk.ender.outcome = outcome
    await desk.started("t")
    await desk.spends("t", 100)
    await desk.sweep()
    assert desk.ender.tasks == ["t", "t"]


@pytest.mark.parametrize("error", [TaskNotFound("gone"), StoreUnavailable("locked")])
async def test_what_could_not_be_asked_is_asked_for_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk([budget()])
    desk.ender.errors = [error]
    await desk.started("t")
    await desk.spends("t", 100)
    await desk.sweep()
    assert desk.ender.tasks == ["t", "t"]
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"task t, whose budget is spent, could not be cancelled: {error}; tried again"
    ]


async def test_an_observing_budget_says_what_it_would_end() -> None:
    desk = Desk([budget(mode=Mode.OBSERVE)])
    await desk.started("t")
    await desk.spends("t", 100)
    assert desk.ender.asked == []
    assert [(event.kind, event.detail["mode"]) for event in await desk.told()] == [
        ("budget_near", "observe"),
        ("would_cancel", "observe"),
    ]


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        (Mode.ENFORCE, ["budget_near", "budget_exhausted"]),
        (Mode.OBSERVE, ["budget_near"]),  # its starts say by themselves what they would not be
    ],
)
async def test_where_only_starts_are_denied_nothing_ends(mode: Mode, kinds: list[str]) -> None:
    desk = Desk([budget(on_exhausted=DENY, mode=mode)])
    await desk.started("t")
    await desk.spends("t", 100)
    assert desk.ender.asked == [] and [event.kind for event in await desk.told()] == kinds


async def test_a_freeze_does_not_keep_budgets_from_ending_tasks() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    await desk.service.levers.freeze(Scope.GLOBAL, EVERYTHING, None)
    await desk.spends("t", 100)
    assert desk.ender.tasks == ["t"]


async def test_what_is_kept_in_reserve_is_near_but_not_spent() -> None:
    desk = Desk([budget(reserve=Amounts(micro_usd=50))])
    for task_id in ("t1", "t2"):
        await desk.started(task_id)
    await desk.turn()
    [near] = await desk.told()
    assert (near.kind, near.detail["current"], near.detail["reserved"]) == ("budget_near", 100, 100)
    assert desk.ender.asked == []
    await desk.spends("t1", 100)
    assert sorted(desk.ender.tasks) == ["t1", "t2"]


async def test_a_run_that_was_let_in_as_the_last_one_may_run() -> None:
    desk = Desk([budget(limit=Amounts(micro_usd=100, runs=1))])
    await desk.started("t")
    await desk.turn()
    assert desk.ender.asked == []
    assert [event.kind for event in await desk.told()] == ["budget_near"]
    await desk.spends("t", 100)
    assert desk.ender.tasks == ["t"]


@pytest.mark.parametrize(
    ("on_unpriced", "ends"),
    [(OnUnpriced.DENY_NEW, False), (OnUnpriced.IGNORE, False), (OnUnpriced.ASSUME, True)],
)
async def test_a_model_without_a_price_ends_tasks_only_for_what_is_assumed(
    on_unpriced: OnUnpriced, ends: bool
) -> None:
    desk = Desk([budget(on_unpriced=on_unpriced, assumed_micro_usd=100)])
    await desk.started("t")
    await desk.spends("t", None)
    assert bool(desk.ender.asked) is ends


async def test_time_alone_spends_a_budget_of_time() -> None:
    desk = Desk([budget(limit=Amounts(run_time=timedelta(seconds=60)))])
    await desk.started("t")
    await desk.turn()
    for seconds in (30, 20):
        desk.clock.tick(seconds)
        await desk.turn()
    assert [event.kind for event in await desk.told()] == ["budget_near"]
    desk.clock.tick(10)
    await desk.turn()
    assert desk.ender.tasks == ["t"]


async def test_a_window_that_has_passed_is_told_anew() -> None:
    hour = timedelta(hours=1)
    desk = Desk([budget(window=hour, soft_at=Decimal("0.5"), limit=Amounts(micro_usd=1_000))])
    await desk.started("t1")
    await desk.spends("t1", 600)
    desk.clock.tick(1_800)
    await desk.started("t2")
    await desk.spends("t2", 300)
    assert [event.detail["current"] for event in await desk.told()] == [600]
    desk.clock.tick(1_801)
    await desk.turn()
    assert len(await desk.told()) == 1  # 300 are left in the window
    await desk.started("t3")
    await desk.spends("t3", 250)
    assert [event.detail["current"] for event in await desk.told()] == [600, 550]


async def test_after_a_raise_the_new_threshold_is_told() -> None:
    rule = budget(on_exhausted=DENY)
    desk = Desk([rule])
    await desk.started("t")
    await desk.spends("t", 100)
    await desk.service.levers.raise_budget(rule, "s", Amounts(micro_usd=100))
    await desk.spends("t", 150)
    assert len(await desk.told("budget_near")) == 1
    await desk.spends("t", 160)
    assert [event.detail["limit"] for event in await desk.told("budget_near")] == [100, 200]


async def test_a_restart_tells_nothing_again_and_goes_on_ending() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    await desk.spends("t", 100)
    told = await desk.told()
    desk.watch = desk.new_watch()
    await desk.turn()
    assert await desk.told() == told
    assert desk.ender.tasks == ["t", "t"]  # the first may have got no further


async def test_another_process_on_the_same_books_tells_nothing_again() -> None:
    desk = Desk([budget(on_exhausted=DENY)])
    other = desk.new_watch()
    await other.turn()
    await desk.started("t")
    await desk.spends("t", 100)
    other.usage_seen("t")
    await other.turn()
    assert len(await desk.told()) == 2


async def test_another_policy_is_held_against_what_is_at_work() -> None:
    desk = Desk([budget(limit=Amounts(micro_usd=1_000))])
    await desk.started("t")
    await desk.spends("t", 500)
    assert desk.ender.asked == []
    desk.go_by(budget())
    await desk.turn()
    assert desk.ender.tasks == ["t"]


async def test_without_budgets_nothing_is_looked_at() -> None:
    desk = Desk([])
    await desk.started("t")
    desk.store.down = StoreUnavailable("nobody may ask")
    desk.watch.usage_seen("t")
    await desk.watch.turn()


async def test_when_the_store_is_back_nothing_was_missed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk([budget()])
    await desk.started("t")
    await desk.started("t2", session="s2")
    await desk.turn()
    watch = desk.watch
    desk.store.down = StoreUnavailable("locked")
    watch.usage_seen("t3")
    desk.clock.tick(SWEEP_S)
    looking = spawn(watch.run(), name="budgets", awaited=True)
    try:
        await eventually(lambda: "budgets cannot be looked at: locked" in caplog.text)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    desk.store.down = None
    await desk.spends("t", 100)
    assert desk.ender.tasks == ["t"]


async def test_the_loop_looks_as_soon_as_usage_is_known() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    looking = spawn(desk.watch.run(), name="budgets", awaited=True)
    try:
        desk.used("t", 100)
        await eventually(lambda: desk.ender.tasks == ["t"])
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await desk.watch.aclose()
