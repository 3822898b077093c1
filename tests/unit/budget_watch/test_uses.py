"""How budgets are used over all their scopes, as metrics tell it."""

from datetime import UTC, datetime, timedelta

from tests.unit.budget_watch.desk import Desk, budget

from subagent_sidecar.budget_watch.uses import Uses
from subagent_sidecar.core.budgets import Standing
from subagent_sidecar.core.matching import EVERYTHING, Scope
from subagent_sidecar.core.metrics.standing import BudgetUse
from subagent_sidecar.core.policy import Amounts
from subagent_sidecar.core.verdict import Spent

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def seen(micro_usd: int, scope_id: str = "s", **more: object) -> Standing:
    """A hundred micro-dollars, of which so many are used."""
    of = budget(**more)  # type: ignore[arg-type]
    return Standing(budget=of, scope_id=scope_id, spent=Spent(micro_usd=micro_usd))


def put(uses: Uses, standing: Standing, after: timedelta = timedelta(), moved: bool = True) -> None:
    uses.put(standing, standing, NOW + after, moved=moved)


def test_the_scope_that_is_closest_to_its_end_speaks_for_the_budget() -> None:
    uses = Uses()
    for scope_id, used in (("a", 40), ("b", 85), ("c", 130)):
        put(uses, seen(used, scope_id))
    assert uses.now(NOW) == {"b": BudgetUse(share=1.3, near=2, exhausted=1)}


def test_a_scope_speaks_as_it_was_last_seen() -> None:
    uses = Uses()
    put(uses, seen(90))
    put(uses, seen(20))
    assert uses.now(NOW)["b"] == BudgetUse(share=0.2)


def test_what_is_only_reserved_is_near_and_not_spent() -> None:
    uses = Uses()
    uses.put(seen(100), seen(10), NOW, moved=True)
    assert uses.now(NOW)["b"] == BudgetUse(share=1.0, near=1, exhausted=0)


def test_a_session_in_which_nothing_moves_for_an_hour_counts_no_more() -> None:
    uses = Uses()
    put(uses, seen(90))
    put(uses, seen(90), HOUR / 2, moved=False)  # a look alone is no move
    assert uses.now(NOW + HOUR)["b"].near == 1
    assert uses.now(NOW + HOUR * 1.1)["b"] == BudgetUse()


def test_what_lasts_counts_for_good() -> None:
    uses = Uses()
    put(uses, seen(90, EVERYTHING, per=Scope.GLOBAL))
    assert uses.now(NOW + 1_000 * HOUR)["b"] == BudgetUse(share=0.9, near=1)


def test_what_has_left_its_window_altogether_counts_no_more() -> None:
    uses = Uses()
    put(uses, seen(90, "ann", per=Scope.SUPERVISOR, window=2 * HOUR))
    assert uses.now(NOW + 2 * HOUR)["b"].near == 1
    assert uses.now(NOW + 2.1 * HOUR)["b"] == BudgetUse()


def test_however_many_scopes_there_are_they_are_bounded_and_the_latest_stay() -> None:
    uses = Uses()
    for number in range(5_000):
        put(uses, seen(90, f"s{number}"))
    assert uses.now(NOW)["b"].near == 2_000
    put(uses, seen(95, "s4999"))
    assert uses.now(NOW)["b"].share == 0.95


async def test_the_watch_tells_what_it_has_seen() -> None:
    desk = Desk([budget(), budget("all", Scope.GLOBAL, limit=Amounts(micro_usd=200))])
    await desk.started("t")
    await desk.spends("t", 90)
    assert desk.watch.uses.now(desk.clock.now()) == {
        "b": BudgetUse(share=0.9, near=1),
        "all": BudgetUse(share=0.45),
    }


async def test_after_a_restart_what_lasts_is_known_without_a_live_task() -> None:
    desk = Desk([budget("all", Scope.GLOBAL), budget()])
    await desk.started("t")
    desk.used("t", 50, settled=True)
    desk.ended("t")
    await desk.service.entered()
    watch = desk.new_watch()
    await watch.turn()
    assert watch.uses.now(desk.clock.now()) == {"all": BudgetUse(share=0.5)}


async def test_other_rules_begin_with_nothing_used() -> None:
    desk = Desk([budget()])
    await desk.started("t")
    await desk.spends("t", 90)
    desk.go_by(budget("another", Scope.SUPERVISOR))
    await desk.turn()
    assert desk.watch.uses.now(desk.clock.now()).keys() == {"another"}
