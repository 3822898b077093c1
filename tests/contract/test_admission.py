"""What may start by what is on record: tables of the numbers that only a store can count.

What a rule says of given numbers is in tests/unit/core/test_decide.py; whether every store counts
what there is, in test_store_numbers.py.
"""

from typing import Any

import pytest
from tests.support.books import accepted, at
from tests.support.door import Door
from tests.support.refusals import policy

from subagent_sidecar.core.changes import (
    Accepted,
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Change,
    Doubted,
    NewRun,
    Released,
    RunGone,
    RunSeen,
    ThreadGone,
    WaitingCancelled,
)
from subagent_sidecar.core.model import EndedBy, Intent, Item, RunStatus, ThreadStatus
from subagent_sidecar.ports import Store

TWO = policy("limits: [{name: two, concurrent: 2, per: supervisor}]")
THREE_IN_A_TREE = policy("limits: [{name: three, concurrent: 3, per: tree}]")
BY = EndedBy.OPERATOR


# What a place is held by, and when it is free.


async def test_a_start_holds_its_place_from_the_moment_it_is_let_in(store: Store) -> None:
    door = Door(store, TWO)
    first, second = await door.let_in("a"), await door.let_in("b")
    assert await door.ask("c") == "limit_concurrent"
    await door.tell(accepted(first, "a's", 3, thread_id="a"))
    await door.tell(Doubted(intent=second, at=at(3), reason="lost"))
    assert await door.ask("c") == "limit_concurrent"
    await door.tell(Released(intent=second, at=at(4), reason="no"))
    assert await door.used("two") == 1
    await door.started("c")


ENDS: dict[str, Change] = {
    **{
        status.value: RunSeen(thread_id="a", run_id="a's", status=status, at=at(9))
        for status in RunStatus
        if status not in (RunStatus.PENDING, RunStatus.RUNNING)
    },
    "run gone": RunGone(thread_id="a", run_id="a's", by=BY, at=at(9), reason="gone"),
    "thread gone": ThreadGone(thread_id="a", by=BY, at=at(9), reason="gone"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_every_end_of_a_task_frees_its_place(store: Store, end: Change) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    assert await door.ask("c") == "limit_concurrent"
    await door.tell(end)
    await door.started("c")
    assert await door.ask("d") == "limit_concurrent"


async def test_a_task_that_waits_for_a_human_holds_its_place(store: Store) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.seen("a", "success", ThreadStatus.INTERRUPTED)
    assert await door.ask("c") == "limit_concurrent"
    await door.tell(WaitingCancelled(thread_id="a", by=BY, at=at(9), reason="enough"))
    await door.started("c")


async def test_a_run_that_goes_on_although_it_was_cancelled_holds_its_place(store: Store) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.tell(
        CancelAsked(thread_id="a", run_id="a's", by=BY, at=at(9)),
        CancelUnconfirmed(thread_id="a", run_id="a's", at=at(9)),
    )
    await door.seen("a", "interrupted")  # as its server has it, which is not to be believed
    assert await door.ask("c") == "limit_concurrent"
    await door.tell(CancelConfirmed(thread_id="a", run_id="a's", at=at(9)))
    await door.started("c")


async def test_a_stateless_start_holds_a_place_and_its_task_does_afterwards(store: Store) -> None:
    door = Door(store, TWO)
    intent = await door.let_in()
    await door.let_in()
    assert await door.ask() == "limit_concurrent"
    await door.tell(accepted(intent, "r", 3, thread_id="made"))
    assert await door.ask() == "limit_concurrent"
    await door.tell(RunSeen(thread_id="made", run_id="r", status=RunStatus.SUCCESS, at=at(4)))
    await door.let_in()


# Follow-ups.


async def test_a_follow_up_to_a_live_task_needs_no_place(store: Store) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.let_in("a")
    assert await door.used("two") == 2


async def test_a_follow_up_that_wakes_a_task_needs_a_place(store: Store) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.seen("a", "success", ThreadStatus.IDLE)
    await door.started("c")
    assert await door.ask("a") == "limit_concurrent"
    await door.seen("c", "error")
    woken = await door.let_in("a")
    assert await door.ask("d") == "limit_concurrent"
    await door.tell(Released(intent=woken, at=at(9), reason="no"))
    await door.started("d")


async def test_a_follow_up_starts_nothing_and_is_a_run_all_the_same(store: Store) -> None:
    rules = policy(
        "limits: [{name: one, starts: 1, per: session}]\nbudgets: [{name: few, runs: 2, per: task}]"
    )
    door = Door(store, rules)
    await door.started("a")
    assert await door.ask("b") == "limit_starts"
    await door.let_in("a")
    assert await door.ask("a") == "budget_runs"


# Batches.


def batch(*agents: str, text: str | None = None) -> dict[str, Any]:
    items = tuple(Item(agent_name=agent, fingerprint=text) for agent in agents)
    return {"batch": True, "items": items}


async def test_a_batch_gets_in_whole_or_not_at_all_and_leaves_nothing(store: Store) -> None:
    door = Door(store, policy("limits: [{name: three, concurrent: 3, per: session}]"))
    await door.started("a")
    assert await door.ask(**batch("x", "y", "z")) == "limit_concurrent"
    assert (await door.open(), await door.used("three")) == ([], 1)
    intent = await door.let_in(**batch("x", "y"))
    assert await door.used("three") == 3
    assert await door.ask("b") == "limit_concurrent"
    await door.tell(Released(intent=intent, at=at(9), reason="no"))
    assert await door.used("three") == 1


async def test_what_a_batch_started_holds_a_place_each(store: Store) -> None:
    door = Door(store, TWO)
    intent = await door.let_in(**batch("x", "y"))
    runs = tuple(NewRun(run_id=f"{name}'s", thread_id=name) for name in "ab")
    await door.tell(Accepted(intent=intent, at=at(2), runs=runs))
    assert await door.used("two") == 2
    await door.seen("a", "error")
    assert await door.used("two") == 1


@pytest.mark.parametrize(
    ("rule", "asked", "code"),
    [
        ("limits: [{name: r, concurrent: 1, per: agent}]", batch("x", "y"), None),
        ("limits: [{name: r, concurrent: 1, per: agent}]", batch("x", "x"), "limit_concurrent"),
        ("limits: [{name: r, deny: true, match: {agent: y}}]", batch("x", "y"), "denied"),
        ("limits: [{name: r, starts: 1, per: global}]", batch("x", "y"), "limit_starts"),
        ("limits: [{name: r, duplicates: 1, per: session}]", batch("x", "x"), None),
        (
            "limits: [{name: r, duplicates: 1, per: session}]",
            batch("x", "x", text="f"),
            "limit_duplicates",
        ),
        ("limits: [{name: r, duplicates: 1, per: session}]", batch("x", "y", text="f"), None),
        ("budgets: [{name: r, runs: 1, per: session}]", batch("x", "y"), "budget_runs"),
        (
            "budgets: [{name: r, tokens: 100, per: session, reserve: {tokens: 40}}]",
            batch("x", "y"),
            None,
        ),
        (
            "budgets: [{name: r, tokens: 100, per: session, reserve: {tokens: 40}}]",
            batch("x", "y", "z"),
            "budget_tokens",
        ),
    ],
)
async def test_each_item_of_a_batch_is_asked_for_with_those_before_it_in_place(
    store: Store, rule: str, asked: dict[str, Any], code: str | None
) -> None:
    door = Door(store, policy(rule))
    found = await door.ask(**asked)
    assert found == code if code is not None else isinstance(found, Intent)
    assert await door.open() == ([] if code else ["i1"])


# Trees.


async def test_a_tree_is_all_that_was_started_from_its_root_however_far_down(store: Store) -> None:
    door = Door(store, THREE_IN_A_TREE)
    await door.started("root", "other")
    await door.started("child", header_session="root")
    await door.started("grandchild", header_session="child")
    for session in ("root", "child", "grandchild"):
        assert await door.ask("x", header_session=session) == "limit_concurrent"
    await door.started("nephew", header_session="other")
    await door.seen("root", "success", ThreadStatus.IDLE)  # its children go on, and it is theirs
    assert await door.used("three", tree_id="root") == 2
    great = await door.let_in("great-grandchild", header_session="grandchild")
    assert (great.depth, great.tree_id) == (3, "root")
    assert await door.ask("root") == "limit_concurrent"


async def test_a_follow_up_is_judged_by_the_graph_it_names(store: Store) -> None:
    rules = policy(
        "limits: [{name: none, deny: true, match: {agent: coder}},"
        " {name: one, concurrent: 1, per: global, match: {agent: hang}}]"
    )
    door = Door(store, rules)
    for name in ("a", "b"):
        await door.started(name, assistant_id="quick")
        await door.seen(name, "success", ThreadStatus.IDLE)
    assert await door.ask("a", assistant_id="coder") == "denied"
    intent = await door.let_in("a", assistant_id="hang")
    await door.tell(accepted(intent, "hanging", 9, thread_id="a"))
    assert await door.ask("b", assistant_id="hang") == "limit_concurrent"
    await door.let_in("b", assistant_id="quick")


async def test_a_thread_of_another_server_is_another_thread(store: Store) -> None:
    door = Door(store, policy("limits: [{name: one, concurrent: 1, per: global}]"))
    await door.started("a")
    assert await door.ask("a", upstream="other") == "limit_concurrent"
    await door.let_in("a")
