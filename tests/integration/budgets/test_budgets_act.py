"""Budgets while tasks run: who is told, and what ends."""

import asyncio
from pathlib import Path

import pytest
from tests.integration.budgets.rig import HEADER, STEP_MICRO_USD, WITHIN, desk
from tests.support.waiting import eventually_got

TASK_USD = {"name": "task-usd", "usd": 0.02, "per": "task", "on_exhausted": "cancel"}
SESSION_USD = {"name": "session-usd", "usd": 0.1, "per": "session", "on_exhausted": "cancel"}


async def test_a_task_over_its_budget_is_cancelled_while_it_runs(tmp_path: Path) -> None:
    async with desk(tmp_path, {"budgets": [TASK_USD]}) as at:
        spender, answer = await at.start("long")
        other, _ = await at.start("idle")
        task = await at.task_when(spender, status="cancelled")
        told = await at.client.call("GET", f"/threads/{spender}/runs/{answer.json['run_id']}")
        [exhausted] = await at.events("budget_exhausted")
        left = await at.task(other)
        refused = (await at.start("quick", thread_id=spender))[1]
    assert task["ended_by"] == "budget"
    assert told.json["status"] == "error"
    assert told.json["error"].startswith(
        "Cancelled before its end: the budget of this task is spent: 0.02"
    )
    assert " of 0.02 USD. Do not start it again" in told.json["error"]
    assert "(rule task-usd of policy policy; it refuses new starts as well)" in told.json["error"]
    detail = exhausted["detail"]
    assert detail["current"] >= detail["limit"] == 20_000 and detail["tasks"] == [spender]
    assert (detail["rule"], detail["scope"], detail["scope_id"]) == ("task-usd", "task", spender)
    assert left["status"] in ("pending", "running")
    assert (refused.status, refused.json["code"]) == (402, "budget_usd")


async def test_a_spent_session_ends_all_its_tasks_and_no_other(tmp_path: Path) -> None:
    async with desk(tmp_path, {"budgets": [SESSION_USD]}) as at:
        other, _ = await at.start("idle", "s2")
        idle, _ = await at.start("idle", "s1")
        spender, _ = await at.start("long", "s1")
        for task_id in (spender, idle):
            ended = await at.task_when(task_id, status="cancelled", ended_by="budget")
            assert "in this session is spent" in ended["reason"]
        assert (await at.task(other))["status"] in ("pending", "running")
        assert set((await at.event("budget_exhausted"))["detail"]["tasks"]) == {spender, idle}


async def test_a_budget_that_observes_says_what_it_would_end(tmp_path: Path) -> None:
    async with desk(tmp_path, {"mode": "observe", "budgets": [TASK_USD]}) as at:
        spender, _ = await at.start("long")
        would = await at.event("would_cancel")
        more = (await at.task(spender))["usage"]["input_tokens"] // 1_000 + 2
        task = await at.used(spender, steps=more)
        assert task["status"] in ("pending", "running")
        assert await at.events("budget_exhausted", "cancel_asked") == []
    assert would["detail"]["tasks"] == [spender] and would["detail"]["mode"] == "observe"


async def test_where_only_new_starts_are_denied_what_runs_goes_on(tmp_path: Path) -> None:
    budget = {**TASK_USD, "on_exhausted": "deny_new"}
    async with desk(tmp_path, {"budgets": [budget]}) as at:
        spender, _ = await at.start("long")
        exhausted = await at.event("budget_exhausted")
        more = (await at.task(spender))["usage"]["input_tokens"] // 1_000 + 2
        task = await at.used(spender, steps=more)
        assert task["status"] in ("pending", "running")
    assert exhausted["detail"]["tasks"] == [] and exhausted["detail"]["count"] == 0


async def test_a_model_without_a_price_cancels_nothing_under_deny_new(tmp_path: Path) -> None:
    async with desk(tmp_path, {"budgets": [TASK_USD]}) as at:
        task_id, _ = await at.start("unpriced")
        await at.used(task_id, steps=8)  # of which five would be too many at any usual price
        refused = (await at.start("quick", thread_id=task_id))[1]
        assert (await at.task(task_id))["status"] in ("pending", "running")
        assert await at.events("cancel_asked", "budget_exhausted") == []
    assert (refused.status, refused.json["code"]) == (402, "budget_unpriced")


async def test_a_model_without_a_price_counts_what_is_assumed(tmp_path: Path) -> None:
    budget = {**TASK_USD, "on_unpriced": "assume:0.02"}
    async with desk(tmp_path, {"budgets": [budget]}) as at:
        task_id, _ = await at.start("unpriced")
        await at.task_when(task_id, status="cancelled", ended_by="budget")


async def test_of_starts_at_the_same_moment_none_spends_what_another_has_reserved(
    tmp_path: Path,
) -> None:
    budget = {**SESSION_USD, "usd": 10, "reserve": {"usd": 2}}
    async with desk(tmp_path, {"budgets": [budget]}) as at:
        threads = [await at.client.new_thread() for _ in range(20)]
        answers = await asyncio.gather(*(at.start("idle", thread_id=each) for each in threads))
        await at.event("budget_near")
        assert await at.events("cancel_asked", "budget_exhausted") == []
    assert sorted(answer.status for _, answer in answers) == [200] * 5 + [402] * 15


async def test_a_reserve_keeps_room_and_ends_nothing(tmp_path: Path) -> None:
    """Two runs that keep half a budget each have not spent it."""
    budget = {**SESSION_USD, "usd": 100, "reserve": {"usd": 50}}
    async with desk(tmp_path, {"budgets": [budget]}) as at:
        first, _ = await at.start("long")
        second, _ = await at.start("idle")
        third = (await at.start("idle"))[1]
        near = await at.event("budget_near")
        await at.used(first, steps=2)
        assert await at.events("cancel_asked", "budget_exhausted") == []
        assert (await at.task(second))["status"] in ("pending", "running")
    assert (third.status, third.json["code"]) == (402, "budget_usd")
    assert near["detail"]["current"] == 100_000_000


@pytest.mark.parametrize("coalesce", ["0s", "250ms"])
async def test_the_soft_threshold_is_told_once_and_in_every_answer(
    tmp_path: Path, coalesce: str
) -> None:
    budget = {**SESSION_USD, "usd": 100, "soft_at": 0.0002}
    async with desk(tmp_path, {"budgets": [budget]}, coalesce=coalesce) as at:
        other, other_start = await at.start("idle", "s2")
        spender, started = await at.start("long", "s1")
        assert HEADER not in started.headers
        near = await at.event("budget_near")
        run = f"/threads/{spender}/runs/{started.json['run_id']}"
        told = await eventually_got(
            lambda: at.client.call("GET", run), lambda a: HEADER in a.headers, within=WITHIN
        )
        idle, again = await at.start("idle", "s1")
        check = await at.client.call("GET", f"/threads/{idle}/runs/{again.json['run_id']}")
        elsewhere = await at.client.call(
            "GET", f"/threads/{other}/runs/{other_start.json['run_id']}"
        )
        await at.used(spender, steps=near["detail"]["current"] // STEP_MICRO_USD + 3)
        assert len(await at.events("budget_near")) == 1
    assert near["detail"]["current"] >= 20_000
    for answer in (told, again, check):
        left, rule = answer.headers[HEADER].split(";")
        assert rule == "rule=session-usd"
        assert 90 < float(left.removeprefix("usd=")) <= 99.98
    assert HEADER not in elsewhere.headers
