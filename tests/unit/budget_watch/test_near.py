"""What supervisors are told of budgets that are nearly spent."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.budget_watch.desk import Desk, budget

from subagent_sidecar.core.budgets import Standing, remaining
from subagent_sidecar.core.matching import EVERYTHING, Glob, Match, Scope
from subagent_sidecar.core.policy import Amounts, Mode, OnExhausted
from subagent_sidecar.core.verdict import Spent

EASY: dict[str, Any] = {"on_exhausted": OnExhausted.DENY_NEW, "soft_at": Decimal("0.5")}


def standing(limit: Amounts, spent: Spent, **more: object) -> Standing:
    return Standing(budget=budget(limit=limit, **{**EASY, **more}), scope_id="s", spent=spent)


@pytest.mark.parametrize(
    ("limit", "spent", "said"),
    [
        (Amounts(micro_usd=5_000_000), Spent(micro_usd=4_630_000), "usd=0.37;rule=b"),
        (Amounts(micro_usd=5_000_000), Spent(micro_usd=4_999_999), "usd=0.000001;rule=b"),
        (Amounts(micro_usd=5_000_000), Spent(micro_usd=9_000_000), "usd=0.00;rule=b"),
        (Amounts(tokens=2_000), Spent(tokens=1_200), "tokens=800;rule=b"),
        (Amounts(runs=4), Spent(runs=3), "runs=1;rule=b"),
        (Amounts(run_time=timedelta(seconds=9)), Spent(run_time=7_000_001), "run_time=1;rule=b"),
        (Amounts(micro_usd=100), Spent(micro_usd=49), None),
        (
            Amounts(micro_usd=100, tokens=10, runs=100),
            Spent(micro_usd=80, tokens=9, runs=1),
            "tokens=1;rule=b, usd=0.00002;rule=b",
        ),
        (
            Amounts(micro_usd=100),
            Spent(micro_usd=100, raised=Amounts(micro_usd=50)),
            "usd=0.00005;rule=b",
        ),
    ],
)
def test_what_is_left_is_written_in_its_unit(limit: Amounts, spent: Spent, said: str) -> None:
    assert remaining([standing(limit, spent)]) == said


def test_the_tightest_budget_comes_first_and_four_are_enough() -> None:
    limit = Amounts(runs=100)
    found = [standing(limit, Spent(runs=60 + n), name=f"b{n}") for n in range(6)]
    text = remaining(found)
    assert text is not None
    assert [part.split(";rule=")[1] for part in text.split(", ")] == ["b5", "b4", "b3", "b2"]


def test_a_budget_that_only_observes_is_not_told() -> None:
    assert remaining([standing(Amounts(runs=1), Spent(runs=1), mode=Mode.OBSERVE)]) is None


async def test_it_is_told_of_the_tasks_it_counts_and_of_no_other() -> None:
    desk = Desk([budget(**EASY, match=Match(agent=(Glob("cod*"),)))])
    await desk.started("t1")
    await desk.started("t2")
    await desk.started("writer", agent="writer")
    await desk.started("elsewhere", session="s2")
    near = desk.watch.near
    assert near.of_task("t1") is None
    await desk.spends("t1", 60)
    assert {task_id: near.of_task(task_id) for task_id in ("t1", "t2", "writer", "elsewhere")} == {
        "t1": b"usd=0.00004;rule=b",
        "t2": b"usd=0.00004;rule=b",
        "writer": None,
        "elsewhere": None,
    }
    assert near.of_task("nobody") is None


async def test_a_start_is_told_and_so_are_checks_of_its_task() -> None:
    desk = Desk([budget(**EASY)])
    near = desk.watch.near
    early = await desk.started("early")
    assert near.of_start(early) is None
    await desk.spends("early", 60)
    late = await desk.started("late")
    other = await desk.started("other", session="s2")
    assert near.of_start(late) == near.of_task("late") == b"usd=0.00004;rule=b"
    assert near.of_start(other) is None


async def test_what_is_told_is_as_new_as_what_is_known() -> None:
    rule = budget(**EASY)
    desk = Desk([rule])
    await desk.started("t")
    near = desk.watch.near
    for spent, said in ((60, b"usd=0.00004;rule=b"), (90, b"usd=0.00001;rule=b")):
        await desk.spends("t", spent)
        assert near.of_task("t") == said
    await desk.service.levers.raise_budget(rule, "s", Amounts(micro_usd=900))
    await desk.sweep()
    assert near.of_task("t") is None


async def test_another_policy_begins_anew() -> None:
    desk = Desk([budget(**EASY)])
    await desk.started("t")
    await desk.spends("t", 60)
    desk.go_by(budget("c", Scope.GLOBAL, **{**EASY, "soft_at": Decimal("0.6")}))
    await desk.turn()
    assert desk.watch.near.of_task("t") == b"usd=0.00004;rule=c"
    [told] = [s for s in desk.watch.near.standings()]
    assert told.scope_id == EVERYTHING
    desk.go_by()
    await desk.turn()
    assert desk.watch.near.of_task("t") is None
