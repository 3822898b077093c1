"""Prices that come later, on a file that several processes share."""

import asyncio
from datetime import datetime
from pathlib import Path

from tests.integration.store.test_pruning import begun, opened
from tests.support.books import at
from tests.support.refusals import policy

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.core.changes import UsageSeen
from subagent_sidecar.core.model import UsageEntry
from subagent_sidecar.core.prices import price_list
from subagent_sidecar.ports import Store
from subagent_sidecar.pricing import Prices
from subagent_sidecar.repricing import Repricing
from subagent_sidecar.service import Service

PRICES = Prices(price_list({"mine": {"input_per_mtok": 3, "output_per_mtok": 0}}))
[BUDGET] = policy("budgets: [{name: usd, usd: 5, per: global}]").budgets
NOW = datetime.fromisoformat(at(1_000))
MESSAGES = 250


async def used(store: Store, task_id: str) -> None:
    entries = [
        UsageEntry(
            task_id=task_id,
            message_id=f"m{number}",
            run_id="r1",
            at=at(2),
            model="mine",
            input_tokens=1_000,
            output_tokens=0,
        )
        for number in range(MESSAGES)
    ]
    await store.apply([UsageSeen(thread_id=task_id, run_id="r1", entries=tuple(entries))])


def repricing(store: Store) -> Repricing:
    service = Service(store=store, clock=SystemClock())
    return Repricing(service=service, store=store, has=PRICES.has, cost=PRICES.own_cost, pause_s=0)


async def test_two_processes_price_each_message_once_and_both_count_it(tmp_path: Path) -> None:
    """Row 13."""
    async with opened(tmp_path) as here, opened(tmp_path) as there:
        await begun(here, "t", 1)
        await used(here, "t")
        for store in (here, there):
            [before] = await store.spent([(BUDGET, "*")], NOW)
            assert (before.micro_usd, before.unpriced) == (0, 1)
        await asyncio.gather(repricing(here).turn(), repricing(there).turn())
        for store in (here, there):
            [after] = await store.spent([(BUDGET, "*")], NOW)
            assert (after.micro_usd, after.unpriced) == (MESSAGES * 3_000, 0)
        record = await there.task("t")
    assert record is not None
    assert {entry.cost_micro_usd for entry in record.usage} == {3_000}
