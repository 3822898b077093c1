"""When old tasks are forgotten, and when the clock is not to be trusted with it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.core.model import timestamp
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.ports import ServerRun
from subagent_sidecar.retention import Retention
from subagent_sidecar.service import Service
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

HOUR, DAY = 3_600, 86_400


@dataclass
class Desk:
    """Books in memory, kept for 30 days, and tasks to forget in them."""

    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    keep: timedelta = timedelta(days=30)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.retention = self.new()

    def new(self, *, interval_s: float = 0.01) -> Retention:
        """The loop of another process, begun now."""
        return Retention(
            store=self.store,
            clock=self.clock,
            keep=self.keep,
            first_s=0.01,
            interval_s=interval_s,
            pause_s=0,
        )

    async def finished(self, task_id: str) -> None:
        intent = await self.service.admit(
            upstream="up", supervisor="ann", thread_id=task_id, assistant_id="graph"
        )
        run = ServerRun(run_id=f"{task_id}-r", thread_id=task_id, status="success")
        self.service.accepted(intent, [run])
        await self.service.flush()

    async def left(self) -> list[str]:
        """The tasks on record, but for the newest, which always stays."""
        tasks = list(self.store._tables.tasks)
        return tasks[:-1]

    async def an_hour_later(self, *, jump: float = 0) -> int:
        self.clock.tick(HOUR)
        if jump:
            self.clock.jump(jump)
        return await self.retention.prune()


async def desk_with(*task_ids: str, keep: timedelta = timedelta(days=30)) -> Desk:
    desk = Desk(keep=keep)
    for task_id in (*task_ids, "newest"):
        await desk.finished(task_id)
        desk.clock.tick(1)
    return desk


async def test_a_finished_task_stays_for_as_long_as_asked_and_no_longer() -> None:
    desk = await desk_with("old")
    for _ in range(30 * 24 - 1):
        assert await desk.an_hour_later() == 0
    assert await desk.left() == ["old"]
    assert await desk.an_hour_later() == 1
    assert await desk.left() == []


async def test_many_go_in_small_batches_until_none_is_left() -> None:
    desk = await desk_with(*(f"t{number}" for number in range(130)))
    desk.clock.tick(31 * DAY)
    await desk.retention.prune()
    assert await desk.left() == []


async def test_a_clock_that_jumped_ahead_forgets_nothing_at_once(  # row 10
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = await desk_with("young")
    with caplog.at_level(logging.WARNING):
        assert await desk.an_hour_later(jump=400 * DAY) == 0
    assert await desk.left() == ["young"]
    assert "the wall clock moved unevenly" in caplog.text


async def test_a_clock_that_jumped_and_was_set_right_again_forgets_nothing() -> None:
    desk = await desk_with("young")
    await desk.an_hour_later(jump=400 * DAY)
    await desk.an_hour_later(jump=-400 * DAY)
    await desk.an_hour_later()
    assert await desk.left() == ["young"]


async def test_a_clock_that_stays_ahead_for_an_hour_is_believed() -> None:
    desk = await desk_with("old")
    await desk.an_hour_later(jump=400 * DAY)
    assert await desk.an_hour_later() == 1


async def test_a_clock_that_is_set_right_by_minutes_does_not_stop_it() -> None:
    desk = await desk_with("old")
    desk.clock.tick(31 * DAY)
    assert await desk.an_hour_later(jump=120) == 1


@asynccontextmanager
async def running(retention: Retention) -> AsyncIterator[None]:
    task = spawn(retention.run(), name="retention", awaited=True)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_at_start_up_what_is_old_by_the_record_itself_goes() -> None:
    desk = await desk_with("old")
    desk.clock.tick(31 * DAY)
    await desk.finished("recent")
    async with running(desk.new()):
        await eventually(lambda: "old" not in desk.store._tables.tasks)
    assert "recent" in desk.store._tables.tasks


async def test_at_start_up_a_wrong_clock_forgets_nothing() -> None:  # row 10
    desk = await desk_with("young")
    desk.clock.jump(400 * DAY)
    asked = desk.store.pruned_before
    async with running(desk.new(interval_s=HOUR)):
        await eventually(lambda: asked)
    assert asked[0] < timestamp(desk.clock.now() - timedelta(days=429))
    assert await desk.left() == ["young"]


async def test_a_store_in_trouble_is_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    desk = await desk_with("old")
    desk.clock.tick(31 * DAY)
    desk.store.down = StoreUnavailable("locked")
    with caplog.at_level(logging.WARNING):
        assert await desk.retention.prune() == 0
    assert "cannot prune old tasks now: locked" in caplog.text
    desk.store.down = None
    assert await desk.an_hour_later() == 1


async def test_a_retention_longer_than_time_itself_keeps_everything() -> None:
    desk = await desk_with("old", keep=timedelta(days=999_999))
    assert await desk.an_hour_later() == 0
