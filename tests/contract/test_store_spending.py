"""What stores say of budgets: in a scope that is asked about, and in all there are.

Held against tests/support/counting.py, after random stories."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from tests.contract.test_store_numbers import LENGTH, RULES, Story
from tests.support.books import at
from tests.support.counting import Counted, counted
from tests.support.stores import BACKENDS

from subagent_sidecar.core.budgets import Standing, bare
from subagent_sidecar.core.changes import Frozen, Start, Unfrozen
from subagent_sidecar.core.matching import EVERYTHING, Match, Scope
from subagent_sidecar.core.matching import Glob as G
from subagent_sidecar.core.model import timestamp
from subagent_sidecar.core.policy import Amounts, Budget
from subagent_sidecar.core.verdict import Answer, Freeze, Spent
from subagent_sidecar.ports import Store

CODERS = Budget(
    name="coders",
    policy="p",
    match=Match(agent=(G("cod*"),)),
    per=Scope.SESSION,
    limit=Amounts(micro_usd=100, runs=9),
)
BUDGETS = (*RULES.budgets, CODERS)


async def tell(store: Store, seed: int) -> Story:
    """A random story, whole."""
    story = Story(Random(seed))
    waiting: list[asyncio.Future[object]] = []
    for step in story.steps():
        told = store.admit(step) if isinstance(step, Start) else store.apply([step])
        waiting.append(told)  # type: ignore[arg-type]  # whatever they come to
    await asyncio.gather(*waiting)
    return story


def said(budget: Budget, found: Iterable[tuple[str, Spent]]) -> dict[str, Sequence[Answer]]:
    """What is told about each scope."""
    return {
        scope_id: Standing(budget=budget, scope_id=scope_id, spent=spent).answers
        for scope_id, spent in found
    }


def everywhere(budget: Budget, count: Counted, now: datetime) -> dict[str, Spent]:
    """What was spent in each scope with a run, counted one scope after the other."""
    since = None if budget.window is None else timestamp(now - budget.window)
    places = {
        place
        for run in count.runs
        if budget.match.fits(run.call) and (since is None or run.at >= since)
        if (place := run.call.scope_id(budget.per)) is not None
    }
    return {
        place: replace(
            count.spent(budget, place, since), reserved=count.reserved(budget, place, since)
        )
        for place in places
    }


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(6))
async def test_what_was_spent_is_what_counting_comes_to(
    tmp_path: Path, backend: str, seed: int
) -> None:
    now = datetime.fromisoformat(at(LENGTH + 1))
    async with BACKENDS[backend](tmp_path) as store:
        story = await tell(store, seed)
        count = counted(story.tables, at(LENGTH + 1))
        for budget in BUDGETS:
            expected = everywhere(budget, count, now)
            found = await store.spenders(budget, now, limit=100)
            assert said(budget, found) == said(budget, expected.items()), budget.name
            places = [(budget, place) for place in expected]
            asked = await store.spent(places, now, apart=True)
            assert said(budget, zip(expected, asked, strict=True)) == said(budget, found)
            without = [replace(each, reserved=()) for each in asked]
            assert await store.spent(places, now) == without


async def test_the_largest_share_comes_first_and_the_rest_is_left_out(store: Store) -> None:
    await tell(store, 1)
    now = datetime.fromisoformat(at(LENGTH + 1))
    for budget in BUDGETS:
        found = await store.spenders(budget, now, limit=100)
        shares = [Standing(budget=budget, scope_id=place, spent=s).share for place, s in found]
        assert shares == sorted(shares, reverse=True)
        assert await store.spenders(budget, now, limit=1) == list(found[:1])


async def test_a_freeze_hides_nothing_of_what_was_spent(store: Store) -> None:
    freeze = Freeze(scope=Scope.GLOBAL, scope_id=EVERYTHING, reason="why", at=at(1))
    await tell(store, 2)
    await store.apply([Frozen(freeze=freeze, at=at(LENGTH))])
    now = datetime.fromisoformat(at(LENGTH + 1))
    [(scope_id, most)] = await store.spenders(CODERS, now, limit=1)
    [asked] = await store.spent([(CODERS, scope_id)], now)
    assert (asked.tokens, asked.runs) == (most.tokens, most.runs)
    assert asked.runs > 0
    assert list(await store.freezes()) == [freeze]
    await store.apply([Unfrozen(scope=Scope.GLOBAL, scope_id=EVERYTHING, at=at(LENGTH))])
    assert list(await store.freezes()) == []


async def test_a_reserve_is_for_starts_and_not_counted_where_tasks_may_end_for_it(
    store: Store,
) -> None:
    [budget] = [rule for rule in RULES.budgets if rule.name == "r-global"]
    await tell(store, 3)
    now = datetime.fromisoformat(at(LENGTH + 1))
    kept, used = await store.spent([(budget, EVERYTHING), (bare(budget), EVERYTHING)], now)
    assert kept.micro_usd > used.micro_usd and kept.tokens > used.tokens
    assert kept.runs == used.runs
