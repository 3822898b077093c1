"""What budgets let start by what is on record of use, and what operators change of that by hand."""

from dataclasses import replace

import pytest
from tests.support.books import at
from tests.support.door import Door
from tests.support.refusals import policy

from subagent_sidecar.core.changes import (
    BudgetRaised,
    Change,
    Frozen,
    Released,
    Unfrozen,
    UsagePriced,
    UsageSeen,
)
from subagent_sidecar.core.matching import EVERYTHING, Scope
from subagent_sidecar.core.model import ThreadStatus, UsageEntry
from subagent_sidecar.core.policy import Amounts, Policy
from subagent_sidecar.core.verdict import Freeze
from subagent_sidecar.ports import Store

TOKENS = policy("budgets: [{name: tokens, tokens: 100, per: session, reserve: {tokens: 40}}]")
USD = policy("budgets: [{name: usd, usd: 1, per: session}]")
RUNS = policy("budgets: [{name: few, runs: 2, per: session}]")


def use(thread_id: str, tokens: int, *, settled: bool) -> Change:
    run_id = f"{thread_id}'s"
    entry = UsageEntry(
        task_id=thread_id,
        message_id="m",
        run_id=run_id,
        at=at(9),
        model="m",
        input_tokens=tokens,
        output_tokens=0,
    )
    known = (run_id,) if settled else ()
    return UsageSeen(thread_id=thread_id, run_id=run_id, entries=(entry,), settled=known)


async def test_what_is_reserved_is_kept_until_it_is_known_what_was_used(store: Store) -> None:
    door = Door(store, TOKENS)
    await door.started("a", "b")
    assert await door.ask("c") == "budget_tokens"
    await door.seen("a", "success", ThreadStatus.IDLE)
    await door.tell(use("a", 5, settled=False))  # there may be more to read
    assert (await door.used("tokens"), await door.ask("c")) == (80, "budget_tokens")
    await door.tell(use("a", 20, settled=True))
    assert await door.used("tokens") == 60
    await door.started("c")
    assert await door.ask("d") == "budget_tokens"


async def test_a_price_opens_again_what_was_closed_for_want_of_one(store: Store) -> None:
    door = Door(store, USD)
    await door.started("a")
    seen = use("a", 5, settled=True)
    await door.tell(seen)
    assert await door.ask("b") == "budget_unpriced"
    assert isinstance(seen, UsageSeen)
    [entry] = seen.entries
    await door.tell(UsagePriced(entries=(replace(entry, cost_micro_usd=999_999),)))
    assert await door.used("usd") == 999_999
    await door.started("b")


async def test_more_than_was_reserved_counts_as_soon_as_it_is_seen(store: Store) -> None:
    door = Door(store, TOKENS)
    await door.started("a")
    await door.tell(use("a", 61, settled=False))
    assert await door.ask("b") == "budget_tokens"


async def test_a_start_that_came_to_nothing_gives_back_what_was_reserved(store: Store) -> None:
    door = Door(store, TOKENS)
    intents = [await door.let_in("a"), await door.let_in("b")]
    assert await door.used("tokens") == 80
    for intent in intents:
        await door.tell(Released(intent=intent, at=at(9), reason="no"))
    assert await door.used("tokens") == 0


def raised(raise_id: str, runs: int, scope_id: str = "s", budget: str = "few") -> BudgetRaised:
    return BudgetRaised(
        raise_id=raise_id,
        budget=budget,
        scope=Scope.SESSION,
        scope_id=scope_id,
        amounts=Amounts(runs=runs),
        at=at(9),
    )


async def test_a_raise_makes_room_in_its_own_scope_once_however_often_it_is_entered(
    store: Store,
) -> None:
    door = Door(store, RUNS)
    await door.started("a", "b")
    assert await door.ask("c") == "budget_runs"
    await door.tell(raised("elsewhere", 9, scope_id="s2"), raised("another", 9, budget="other"))
    assert await door.ask("c") == "budget_runs"
    for _ in range(3):
        await door.tell(raised("once", 1))
    await door.started("c")
    assert await door.ask("d") == "budget_runs"
    await door.tell(raised("again", 2), raised("again", 2))
    await door.started("d", "e")
    assert await door.ask("f") == "budget_runs"


# Freezes.


def freeze(scope: Scope, scope_id: str) -> Frozen:
    return Frozen(freeze=Freeze(scope=scope, scope_id=scope_id, reason="a fire"), at=at(9))


@pytest.mark.parametrize(
    ("scope", "scope_id", "stops"),
    [
        (Scope.GLOBAL, EVERYTHING, {"x", "y", "z"}),
        (Scope.AGENT, "coder", {"x", "y"}),
        (Scope.SESSION, "s", {"y", "z"}),
        (Scope.SESSION, "nobody's", set()),
    ],
)
async def test_a_freeze_stops_what_it_is_about_until_it_is_lifted(
    store: Store, scope: Scope, scope_id: str, stops: set[str]
) -> None:
    door = Door(store, Policy())
    asked = {
        "x": {"agent_name": "coder", "header_session": "s2"},
        "y": {"agent_name": "coder"},
        "z": {"agent_name": "writer"},
    }
    await door.started("y", **asked["y"])  # a follow-up is a start, too
    await door.tell(freeze(scope, scope_id))
    found = {name: await door.ask(name, **facts) for name, facts in asked.items()}
    assert {name for name, answer in found.items() if answer == "frozen"} == stops
    assert len(await door.open()) == len(asked) - len(stops)
    await door.tell(Unfrozen(scope=scope, scope_id=scope_id, at=at(9)))
    for name, facts in asked.items():
        await door.let_in(name, **facts)


async def test_of_several_freezes_each_is_lifted_by_itself(store: Store) -> None:
    door = Door(store, Policy())
    await door.tell(freeze(Scope.GLOBAL, EVERYTHING), freeze(Scope.SESSION, "s"))
    await door.tell(Unfrozen(scope=Scope.GLOBAL, scope_id=EVERYTHING, at=at(9)))
    assert await door.ask("a") == "frozen"
    await door.let_in("b", header_session="s2")
    await door.tell(Unfrozen(scope=Scope.SESSION, scope_id="s", at=at(9)))
    await door.let_in("a")


async def test_what_is_frozen_again_keeps_its_beginning_and_its_reason(store: Store) -> None:
    def frozen(second: int, reason: str | None) -> Frozen:
        freeze = Freeze(scope=Scope.AGENT, scope_id="coder", reason=reason, at=at(second))
        return Frozen(freeze=freeze, at=at(second))

    await store.apply([frozen(1, "it loops"), frozen(2, None)])
    assert [(each.at, each.reason) for each in await store.freezes()] == [(at(1), "it loops")]
    await store.apply([frozen(3, "for good")])
    assert [(each.at, each.reason) for each in await store.freezes()] == [(at(1), "for good")]
