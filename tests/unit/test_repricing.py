"""Messages get the price that came after them: once, in small batches, whoever else is at it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.support.books import at
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.core.changes import UsagePriced
from subagent_sidecar.core.model import UsageEntry
from subagent_sidecar.core.prices import price_list
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.ports import ServerRun
from subagent_sidecar.pricing import Prices
from subagent_sidecar.repricing import Repricing
from subagent_sidecar.service import Service
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

WITHIN = 30.0
MINE = {"mine": {"input_per_mtok": 3, "output_per_mtok": 0}}


@dataclass
class Desk:
    """Books in memory with one task, and a price list that can be changed."""

    store: TroubledStore = field(default_factory=TroubledStore)
    prices: Prices = field(default_factory=lambda: Prices({}))
    interval_s: float = 3_600

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=FakeClock())
        self.moved: list[str] = []
        self.service.usage.observe(self.moved.append)
        self.repricing = Repricing(
            service=self.service,
            store=self.store,
            has=self.prices.has,
            cost=self.prices.own_cost,
            interval_s=self.interval_s,
            pause_s=0,
        )

    async def used(self, models: Mapping[str, str | None], *, tokens: int = 1_000) -> None:
        """Messages by their ids, with their models, and without a price."""
        intent = await self.service.admit(upstream="up", supervisor="ann", thread_id="t")
        run = ServerRun(run_id="r", thread_id="t", status="success")
        self.service.accepted(intent, [run])
        entries = [
            UsageEntry(
                task_id="t",
                message_id=message_id,
                run_id="r",
                at=at(1),
                model=model,
                input_tokens=tokens,
                output_tokens=0,
            )
            for message_id, model in models.items()
        ]
        self.service.usage.seen("t", "r", entries)
        await self.service.flush()
        self.moved.clear()

    def charge(self, prices: Mapping[str, object]) -> None:
        self.prices.charge(price_list(prices))

    async def costs(self) -> dict[str, int | None]:
        record = await self.store.task("t")
        assert record is not None
        return {entry.message_id: entry.cost_micro_usd for entry in record.usage}

    def batches(self) -> list[int]:
        """How many messages were priced in each transaction."""
        changes = [change for batch in self.store.handed_in for change in batch]
        return [len(change.entries) for change in changes if isinstance(change, UsagePriced)]


async def test_only_what_has_a_price_now_gets_one() -> None:
    desk = Desk()
    await desk.used({"m1": "mine", "m2": "theirs", "m3": None, "m4": "provider/mine-2026-01-01"})
    desk.charge(MINE)
    assert await desk.repricing.turn() == 2
    assert await desk.costs() == {"m1": 3_000, "m2": None, "m3": None, "m4": 3_000}


async def test_another_price_does_not_rewrite_what_was_priced() -> None:
    desk = Desk()
    await desk.used({"m1": "mine"})
    desk.charge(MINE)
    await desk.repricing.turn()
    desk.charge({"mine": {"input_per_mtok": 9, "output_per_mtok": 0}})
    assert await desk.repricing.turn() == 0
    assert await desk.costs() == {"m1": 3_000}


async def test_many_messages_come_in_batches_and_their_task_is_looked_at_again() -> None:
    desk = Desk()
    await desk.used({f"m{number}": "mine" for number in range(250)})
    desk.charge(MINE)
    assert await desk.repricing.turn() == 250
    assert desk.batches() == [100, 100, 50]
    assert desk.moved == ["t"] * 3, "budgets are to follow"


async def test_what_makes_no_sense_stays_without_a_price_and_holds_nothing_up() -> None:
    desk = Desk()
    await desk.used({"m1": "mine"}, tokens=-1)
    desk.charge(MINE)
    assert await desk.repricing.turn() == 0
    assert await desk.costs() == {"m1": None}


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[None]:
    loop = spawn(desk.repricing.run(), name="repricing")
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def test_it_begins_with_what_another_process_left_and_follows_every_change() -> None:
    desk = Desk()
    await desk.used({"m1": "mine", "m2": "theirs"})
    desk.charge(MINE)
    async with running(desk):
        await eventually(lambda: desk.batches() == [1], within=WITHIN)
        desk.charge({"theirs": {"input_per_mtok": 1, "output_per_mtok": 0}})
        desk.repricing.charged()
        await eventually(lambda: desk.batches() == [1, 1], within=WITHIN)
    assert await desk.costs() == {"m1": 3_000, "m2": 1_000}


async def test_a_store_in_trouble_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(interval_s=0.01)
    await desk.used({"m1": "mine"})
    desk.charge(MINE)
    desk.store.down = StoreUnavailable("locked")
    with caplog.at_level(logging.WARNING):
        async with running(desk):
            await eventually(lambda: "cannot be priced now" in caplog.text, within=WITHIN)
            desk.store.down = None
            await eventually(lambda: desk.moved, within=WITHIN)
    assert await desk.costs() == {"m1": 3_000}
