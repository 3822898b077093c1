"""Following the record: what is counted, from where on, and what is told when it cannot be read."""

import asyncio

import pytest
from tests.support.books import accepted, at, start
from tests.support.waiting import eventually
from tests.unit.metrics.shown import Shown

from subagent_sidecar.core.changes import RunSeen
from subagent_sidecar.core.metrics.labels import Whose
from subagent_sidecar.core.metrics.record import Census, Stretch
from subagent_sidecar.core.model import RunStatus
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.metrics import RecordFigures
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.tasks import spawn


class Store(MemoryStore):
    """`down` fails reads for metrics, `slow` never answers them; `stretches` were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.down = self.slow = False
        self.failed = 0
        self.stretches: list[tuple[int, int]] = []

    async def census(self) -> Census:
        if self.down:
            raise StoreUnavailable("gone")
        return await super().census()

    async def happened(self, after: int, *, limit: int) -> Stretch:
        if self.down:
            self.failed += 1
            raise StoreUnavailable("gone")
        if self.slow:
            await asyncio.Event().wait()
        self.stretches.append((after, limit))
        await asyncio.sleep(0)  # as a store on a disk lets others run
        return await super().happened(after, limit=min(limit, 2))

    async def started(self, number: int, thread_id: str) -> None:
        intent = await self.admit(start(number, thread_id, agent_name="coder"))
        await self.apply([accepted(intent, f"{thread_id}'s", number, thread_id=thread_id)])

    async def ended(self, number: int, thread_id: str) -> None:
        seen = RunSeen(
            thread_id=thread_id,
            run_id=f"{thread_id}'s",
            status=RunStatus.SUCCESS,
            at=at(number),
        )
        await self.apply([seen])


def figures(store: Store, *, every_s: float = 60.0) -> RecordFigures:
    return RecordFigures(
        store=store,
        whose=Whose([], ["up"]),
        policy=Policy,
        now=lambda: at(100),
        every_s=every_s,
    )


async def shown(record: RecordFigures, *, patience_s: float = 5.0) -> Shown:
    found = Shown(await record.families(patience_s=patience_s))
    assert found.fit()
    return found


async def test_counting_begins_with_the_process_and_gauges_with_the_record() -> None:
    store = Store()
    await store.started(1, "before")
    record = figures(store)
    await record.begin()
    await store.started(2, "after")
    found = await shown(record)
    assert found.value("tasks_started_total", "up", "coder") == 1
    assert found.value("tasks_live", "up", "coder", "pending") == 2
    assert (found.value("store_up"), found.value("events_uncounted")) == (1, 0)


async def test_agents_of_live_tasks_are_there_from_the_first_scrape() -> None:
    store = Store()
    await store.started(1, "before")
    record = figures(store)
    await record.begin()
    assert (await shown(record)).value("tasks_started_total", "up", "coder") == 0


async def test_nothing_is_counted_twice_however_often_and_by_whomever_it_is_read() -> None:
    store = Store()
    record = figures(store)
    await record.begin()
    for number in range(1, 8):
        await store.started(number, f"t{number}")
    await asyncio.gather(record.catch_up(), shown(record), record.catch_up())
    assert (await shown(record)).value("tasks_started_total", "up", "coder") == 7
    begins = [after for after, _ in store.stretches]
    assert begins[:4] == [0, 2, 4, 6] and begins == sorted(begins)


async def test_between_scrapes_the_record_is_followed() -> None:
    store = Store()
    record = figures(store, every_s=0.001)
    await record.begin()
    follower = spawn(record.run(), name="follower")
    await store.started(1, "t")
    await eventually(lambda: (1, 10_000) in store.stretches)
    store.down = True
    await eventually(lambda: store.failed > 1)
    store.down = False
    await store.ended(2, "t")
    await eventually(lambda: any(after >= 3 for after, _ in store.stretches))
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)


# failures.md row 8
async def test_of_a_store_that_cannot_be_read_only_what_was_counted_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    record = figures(store)
    await record.begin()
    await store.started(1, "t")
    await record.catch_up()
    store.down = True
    await shown(record)
    found = await shown(record)
    assert found.value("store_up") == 0
    assert [line.message for line in caplog.records if line.levelname == "WARNING"] == [
        "metrics cannot read the record: gone; counters are told as they were"
    ]
    assert found.value("tasks_started_total", "up", "coder") == 1
    assert "subagent_tasks_live" not in found.families
    store.down = False
    assert (await shown(record)).value("store_up") == 1


async def test_a_scrape_waits_no_longer_than_its_patience_and_says_what_is_missing() -> None:
    store = Store()
    record = figures(store)
    await record.begin()
    await store.started(1, "t")
    await record.catch_up()
    await store.started(2, "u")
    store.slow = True
    found = await shown(record, patience_s=0.01)
    assert found.value("tasks_started_total", "up", "coder") == 1
    assert found.value("tasks_live", "up", "coder", "pending") == 2
    assert found.value("events_uncounted") == 1
    store.slow = False
    assert (await shown(record)).value("tasks_started_total", "up", "coder") == 2
