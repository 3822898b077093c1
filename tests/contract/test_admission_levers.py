"""What budgets let start by what is on record of use, and what operators change of that by hand."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.books import at, start
from tests.support.door import Door
from tests.support.refusals import policy
from tests.support.refusing import refused_on_record

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
from subagent_sidecar.core.model import Item, ThreadStatus, UsageEntry
from subagent_sidecar.core.past import DecisionQuery
from subagent_sidecar.core.policy import Amounts, Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.core.verdict import Batch, Freeze, Held
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


async def refusal_of(door: Door, **facts: Any) -> Refused:
    door.second += 1
    asked = start(door.second, None, **{"header_session": "s", **facts})
    return await refused_on_record(door.store, asked, door.rules)


async def test_a_refusal_names_who_holds_what_is_not_spent_and_what_is_spent(store: Store) -> None:
    door = Door(store, TOKENS)
    await door.started("a", "b")
    await door.tell(use("a", 10, settled=False))
    refused = await refusal_of(door)
    assert refused.deny.check.held == Held(30 + 40, 2, 2)
    assert "10 of 100 tokens spent, 70 kept in reserve by 2 runs in flight" in refused.message
    assert refused.deny.tasks == ("a", "b")
    await door.seen("a", "success", ThreadStatus.IDLE)
    refused = await refusal_of(door)
    assert (refused.deny.tasks, refused.retry_after_s) == (("b",), None)
    await door.seen("b", "success", ThreadStatus.IDLE)
    refused = await refusal_of(door)
    assert (refused.deny.tasks, refused.retry_after_s) == ((), 2)
    [kept] = (await store.decisions(DecisionQuery())).decisions[0].checks
    assert kept.held == Held(70, 2, 0), "the record tells it, too"


async def test_where_the_spend_alone_is_too_much_nobody_is_told_to_wait(store: Store) -> None:
    door = Door(store, TOKENS)
    await door.started("a", "b")
    await door.tell(use("a", 61, settled=False))
    refused = await refusal_of(door)
    assert "nearly spent: 61 of 100 tokens, and a run needs 40" in refused.message
    assert "Waiting does not help" in refused.message and refused.retry_after_s is None


async def test_what_a_run_holds_leaves_the_window_with_it(store: Store) -> None:
    door = Door(store, policy("budgets: [{name: t, tokens: 100, per: session, "
                              "reserve: {tokens: 40}, window: 60s}]"))  # fmt: skip
    await door.started("a", "b")  # in the seconds 1 and 2
    assert (await refusal_of(door)).retry_after_s == 1 + 60 - 3 + 1


@pytest.mark.parametrize(
    ("rule", "room", "said"),
    [
        ("tokens: 100, reserve: {tokens: 40}", 1, "10 of 100 tokens spent, 30 kept in reserve"),
        ("tokens: 100, reserve: {tokens: 25}", 3, "10 of 100 tokens spent, 15 kept in reserve"),
        ("runs: 3", 2, "1 of 3 runs used"),
    ],
)
async def test_a_batch_is_told_what_there_is_without_itself(
    store: Store, rule: str, room: int, said: str
) -> None:
    door = Door(store, policy(f"budgets: [{{name: b, {rule}, per: session}}]"))
    await door.started("a")
    await door.tell(use("a", 10, settled=False))
    items = tuple(Item(agent_name="x") for _ in range(4))
    refused = await refusal_of(door, batch=True, items=items)
    assert refused.deny.batch == Batch(size=4, counted=room)
    assert f"room for no more than {room} of the 4 runs of this batch: {said}" in refused.message
    await door.let_in(batch=True, items=items[:room])


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
