"""The wall clock is set back (failures.md row 10): no window is emptied, none stays full for longer
than it is, and what was counted once is not counted again when its time comes round."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.books import accepted, start
from tests.support.refusals import policy
from tests.support.stores import BACKENDS

from subagent_sidecar.core.changes import UsageSeen
from subagent_sidecar.core.feed import EventQuery
from subagent_sidecar.core.matching import Call, Scope
from subagent_sidecar.core.model import Timestamp, UsageEntry, timestamp
from subagent_sidecar.core.policy import Amounts, Budget, Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.ports import Store

HOUR, DAY = 3_600, 86_400
RATE = policy("limits: [{name: rate, starts: 2, per: session, window: 1m}]")
DAILY = policy("limits: [{name: daily, starts: 3, per: session, window: 1d}]")
ONCE = policy("limits: [{name: once, duplicates: 1, per: session, window: 10m}]")
RUNS = policy("budgets: [{name: runs, runs: 3, per: session, window: 1d}]")
MONEY = policy("budgets: [{name: usd, usd: 1, per: session, window: 1d, on_unpriced: ignore}]")


@dataclass
class Starts:
    """Starts by a clock that somebody sets. Each one arrives and is a task of its own."""

    store: Store
    rules: Policy
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    number: int = 0

    def at(self) -> Timestamp:
        return timestamp(self.now)

    def set(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def ask(self, count: int = 1, *, every: float = 1) -> int:
        """How many of so many are let in."""
        let_in = 0
        for _ in range(count):
            self.set(every)
            self.number += 1
            task = f"t{self.number}"
            asked = start(0, task, at=self.at(), intent_id=f"i{self.number}", header_session="s",
                          fingerprint="f")  # fmt: skip
            try:
                intent = await self.store.admit(asked, self.rules)
            except Refused:
                continue
            await self.store.apply([accepted(intent, f"{task}'s", 0, thread_id=task)])
            let_in += 1
        return let_in

    async def used(self) -> int:
        call = Call(agent="graph", upstream="up", supervisor="ann", session="s", fingerprint="f")
        verdict = await self.store.explain(call, self.rules, self.now)
        return verdict.checks[0].current


@pytest.mark.parametrize("rules", [DAILY, RUNS], ids=["starts", "runs"])
async def test_an_hour_forward_and_two_back_resets_no_budget(store: Store, rules: Policy) -> None:
    starts = Starts(store, rules)
    assert await starts.ask(2) == 2
    starts.set(HOUR)
    assert await starts.ask(3) == 1
    starts.set(-2 * HOUR)
    assert await starts.ask(3) == 0
    assert await starts.used() == 3
    starts.set(DAY - HOUR - 60)
    assert await starts.ask() == 0  # less than a day has passed since the first of them
    starts.set(HOUR)
    assert await starts.ask(4) == 2  # the third one came an hour later
    starts.set(60)
    assert await starts.ask(4) == 1


async def test_a_day_back_fills_no_window_for_a_day(store: Store) -> None:
    starts = Starts(store, RATE)
    assert await starts.ask(60, every=DAY / 60) == 60  # all day long
    assert await starts.ask(3) == 1
    starts.set(-DAY)
    assert await starts.ask() == 0
    starts.set(60)
    assert await starts.ask(3) == 2


async def test_what_was_counted_once_does_not_come_round_again(store: Store) -> None:
    starts = Starts(store, RATE)
    assert await starts.ask(2) == 2
    starts.set(-DAY)
    assert await starts.used() == 2
    starts.set(DAY - 2)
    assert (await starts.used(), await starts.ask(3)) == (0, 2)


async def test_duplicates_go_by_the_same_time(store: Store) -> None:
    starts = Starts(store, ONCE)
    assert await starts.ask(2) == 1
    starts.set(-DAY)
    assert await starts.ask() == 0
    starts.set(601)
    assert await starts.ask(2) == 1


async def test_a_refusal_says_truly_when_to_try_again(store: Store) -> None:
    starts = Starts(store, RATE)
    await starts.ask(2)
    starts.set(-DAY)
    with pytest.raises(Refused) as told:
        await store.admit(start(0, None, at=starts.at(), header_session="s"), RATE)
    assert told.value.retry_after_s is not None and told.value.retry_after_s <= 60


async def test_what_is_spent_stays_spent_for_a_day_and_no_longer(store: Store) -> None:
    starts = Starts(store, MONEY)
    await starts.ask()
    starts.set(-2 * HOUR)
    dear = UsageEntry(task_id="t1", message_id="m", run_id="t1's", at=starts.at(), model="m",
                      input_tokens=1, output_tokens=1, cost_micro_usd=1_000_000)  # fmt: skip
    assert await starts.used() == 0
    await store.apply([UsageSeen(thread_id="t1", run_id="t1's", entries=(dear,), settled=())])
    assert await starts.used() == 1_000_000
    budget = Budget(
        name="usd",
        policy="p",
        per=Scope.SESSION,
        limit=Amounts(micro_usd=1),
        window=timedelta(days=1),
    )
    [(_, spent)] = await store.spenders(budget, starts.now, limit=9)
    assert spent.micro_usd == 1_000_000
    starts.set(DAY + 10)
    assert await starts.used() == 0
    assert list(await store.spenders(budget, starts.now, limit=9)) == []


async def test_a_start_on_its_way_when_the_clock_was_set_back_leaves_its_window_in_time(
    store: Store,
) -> None:
    starts = Starts(store, RATE)
    on_its_way = await store.admit(start(0, "t", at=starts.at(), header_session="s"), RATE)
    starts.set(-DAY)
    assert await starts.ask(2) == 1
    await store.apply([accepted(on_its_way, "r", 0, thread_id="t")])
    starts.set(90)  # it may be noticed a minute late
    assert await starts.used() <= 1
    starts.set(90)
    assert await starts.used() == 0


async def test_clocks_that_differ_by_seconds_are_not_taken_for_one_set_back(store: Store) -> None:
    starts = Starts(store, DAILY)
    await starts.ask()
    starts.set(-4)
    await starts.ask()
    page = await store.events_after(EventQuery(kinds=frozenset({"clock_set_back"})))
    assert page.events == ()


async def test_it_is_told_once_with_by_how_much(store: Store) -> None:
    starts = Starts(store, DAILY)
    await starts.ask(2)
    starts.set(-2 * HOUR)
    await starts.ask(2)
    page = await store.events_after(EventQuery(kinds=frozenset({"clock_set_back"})))
    [told] = [told.event for told in page.events]
    assert told.detail == {"by_s": 2 * HOUR - 1, "runs": 2}


async def test_after_a_restart_it_is_noticed_and_what_was_put_right_stays_so(
    tmp_path: Path,
) -> None:
    async with BACKENDS["sqlite"](tmp_path) as store:
        starts = Starts(store, RATE)
        assert await starts.ask(2) == 2
    starts.set(-DAY)
    for wait, let_in in ((0, 0), (40, 0), (25, 2)):
        starts.set(wait)
        async with BACKENDS["sqlite"](tmp_path) as store:
            starts.store = store
            assert await starts.ask(2) == let_in
