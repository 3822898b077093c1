"""How spans leave the record: each once, whatever happens to the endpoint and to the sidecar."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.books import accepted, at, start
from tests.support.stores import open_sqlite
from tests.support.waiting import eventually

from subagent_sidecar.core.changes import RunSeen, UsageSeen
from subagent_sidecar.core.metrics.marks import Told
from subagent_sidecar.core.model import RunStatus
from subagent_sidecar.core.spans import Span, Teller
from subagent_sidecar.ports import Store
from subagent_sidecar.service import Service
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.telemetry import Exporting, Tracer
from subagent_sidecar.testing import FakeClock


@dataclass
class Endpoint:
    """telemetry.Sender: `taken` are names of spans; `hole`: nothing comes back."""

    taken: list[Span] = field(default_factory=list)
    takes: Callable[[Sequence[Span]], bool] = lambda spans: True
    attempts: int = 0
    closed: int = 0
    hole: threading.Event | None = None
    rejects: int = 0
    rejected: int = 0
    problem: str = ""

    def send(self, spans: Sequence[Span]) -> bool:
        self.attempts += 1
        if self.hole is not None:
            self.hole.wait()
            return False
        if not self.takes(spans):
            return False
        self.taken += spans
        self.rejected += self.rejects
        return True

    def close(self) -> None:
        self.closed += 1

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.taken]


@dataclass
class World:
    """A clock that is at the beginning of the story, and a store."""

    store: Store
    clock: FakeClock = field(default_factory=FakeClock)

    def tracer(self, endpoint: Endpoint, closing_s: float = 5.0) -> Tracer:
        return Tracer(
            service=Service(store=self.store, clock=self.clock),
            store=self.store,
            clock=self.clock,
            exporting=Exporting(lambda: endpoint),
            teller=Teller(servers={}),
            usage_within=timedelta(seconds=10),
            closing_s=closing_s,
        )

    async def begin(self) -> None:
        await self.store.begin_spans("traces", "trace_ends")

    async def started(self, task_id: str, second: int) -> None:
        intent = await self.store.admit(start(second, task_id))
        await self.store.apply([accepted(intent, f"run of {task_id}", second, thread_id=task_id)])

    async def seen(self, task_id: str, status: RunStatus, second: float) -> None:
        run_id = f"run of {task_id}"
        await self.store.apply(
            [RunSeen(thread_id=task_id, run_id=run_id, status=status, at=at(second))]
        )


async def told(tracer: Tracer) -> None:
    """Until there is nothing to tell for now."""
    while await tracer.turn():
        pass


@pytest.fixture
async def world() -> World:
    world = World(MemoryStore())
    await world.begin()
    return world


START, BEGAN, RUN = "start_async_task graph", "run_began graph", "invoke_agent graph"


async def test_the_start_is_told_at_once_and_the_run_at_its_end(world: World) -> None:
    endpoint = Endpoint()
    tracer = world.tracer(endpoint)
    await world.started("t", 1)
    await told(tracer)
    assert endpoint.names == [START]
    await world.seen("t", RunStatus.RUNNING, 2)
    await told(tracer)
    assert endpoint.names == [START, BEGAN]
    await world.seen("t", RunStatus.SUCCESS, 3)
    world.clock.tick(60)
    await told(tracer)
    assert endpoint.names == [START, BEGAN, RUN]
    await tracer.aclose()
    assert (tracer.numbers.exported, tracer.numbers.dropped) == (3, 0)


async def test_a_run_waits_for_what_it_used_and_no_longer_than_it_may(world: World) -> None:
    endpoint = Endpoint()
    tracer = world.tracer(endpoint)
    for task_id in ("settled", "never"):
        await world.started(task_id, 1)
        await world.seen(task_id, RunStatus.SUCCESS, 1)
    world.clock.tick(2)
    await told(tracer)
    assert RUN not in endpoint.names
    settled = ("run of settled",)
    await world.store.apply(
        [UsageSeen(thread_id="settled", run_id=settled[0], entries=(), settled=settled)]
    )
    await told(tracer)
    assert endpoint.names.count(RUN) == 1
    await world.started("later", 3)
    await told(tracer)
    assert endpoint.names[-1] == START  # nobody else waits
    world.clock.tick(10)
    await told(tracer)
    assert endpoint.names.count(RUN) == 2
    await tracer.aclose()


async def test_two_simulated_hours_and_two_restarts_are_one_span(tmp_path: Path) -> None:
    endpoint = Endpoint()
    clock = FakeClock()
    for second, status in ((0, None), (3_600, RunStatus.RUNNING), (7_200, RunStatus.SUCCESS)):
        async with open_sqlite(tmp_path) as store:
            world = World(store, clock)
            await world.begin()
            if status is None:
                await world.started("t", 0)
            else:
                await world.seen("t", status, second)
            clock.tick(3_600)
            tracer = world.tracer(endpoint)
            await told(tracer)
            await tracer.aclose()
    assert endpoint.names == [START, BEGAN, RUN]
    run = endpoint.taken[-1]
    assert (run.start, run.end) == (at(0), at(7_200))
    assert len({span.trace_id for span in endpoint.taken}) == 1


async def test_two_sidecars_on_one_store_tell_each_span_once(tmp_path: Path) -> None:
    first, second = Endpoint(), Endpoint()
    async with open_sqlite(tmp_path) as one, open_sqlite(tmp_path) as other:
        world = World(one)
        await world.begin()
        tracers = [world.tracer(first), World(other, world.clock).tracer(second)]
        for number in range(20):
            for task_id in (f"{number} a", f"{number} b"):
                await world.started(task_id, number)
                await world.seen(task_id, RunStatus.SUCCESS, number)
            world.clock.tick(30)
            await asyncio.gather(*(told(tracer) for tracer in tracers))
        for tracer in tracers:
            await tracer.aclose()
    ids = [span.span_id for span in first.taken + second.taken]
    assert len(ids) == len(set(ids)) == 2 * 40


async def test_what_comes_while_a_batch_is_sent_waits_for_company(world: World) -> None:
    """Under load a batch of each handful would cost more than all of its spans."""
    endpoint = Endpoint()
    tracer = world.tracer(endpoint)
    for number in range(250):
        await world.started(f"t{number}", 1)
    assert await tracer.turn()  # a whole page: there is more
    assert not await tracer.turn()  # the rest: whoever comes now is not alone for long
    assert (endpoint.attempts, endpoint.names) == (2, [START] * 250)
    await tracer.aclose()


# Row 12.


async def test_what_is_not_taken_waits_and_is_told_of_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    endpoint = Endpoint(takes=lambda spans: False)
    tracer = world.tracer(endpoint)
    for number in range(500):
        await world.started(f"t{number}", 1)
    for _ in range(4):
        assert not await tracer.turn()
    assert tracer.numbers.failed == 4
    endpoint.takes = lambda spans: True
    await told(tracer)
    assert endpoint.names == [START] * 500
    actions = [getattr(record, "action", "") for record in caplog.records]
    assert actions == ["traces_wait", "traces_taken"]
    await tracer.aclose()


async def test_a_batch_that_nobody_will_ever_take_does_not_stop_the_others(world: World) -> None:
    endpoint = Endpoint(takes=lambda spans: not spans)
    tracer = world.tracer(endpoint)
    await world.started("bad", 1)
    for _ in range(3):
        await tracer.turn()
    assert (tracer.numbers.dropped, tracer.numbers.failed) == (1, 3)
    endpoint.takes = lambda spans: True
    await world.started("good", 2)
    await told(tracer)
    assert endpoint.names == [START]
    await tracer.aclose()


async def test_what_was_taken_is_known_to_be_told_and_what_waits_or_was_given_up_is_not(
    world: World,
) -> None:
    endpoint = Endpoint()
    tracer = world.tracer(endpoint)
    assert tracer.told == Told(-1, -1)
    await world.started("taken", 1)
    await told(tracer)
    first = await world.store.last_event()
    assert tracer.told == Told(-1, first)
    endpoint.takes = lambda spans: False
    await world.started("waits", 2)
    await tracer.turn()
    assert tracer.told == Told(-1, first)
    endpoint.takes = lambda spans: not spans
    await tracer.turn()
    await tracer.turn()
    await told(tracer)
    given_up = await world.store.last_event()
    assert tracer.numbers.dropped == 1
    assert tracer.told == Told(given_up, given_up)
    await tracer.aclose()


async def test_what_an_endpoint_takes_and_throws_away_is_counted_and_told_of_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = Endpoint(rejects=1)
    tracer = world.tracer(endpoint)
    for number in range(3):
        await world.started(f"a{number}", number)
        await world.started(f"b{number}", number)
        await told(tracer)
    assert (tracer.numbers.exported, tracer.numbers.dropped) == (3, 3)
    assert [getattr(r, "action", "") for r in caplog.records] == ["traces_rejected"]
    await tracer.aclose()


async def test_what_was_refused_at_the_end_is_the_next_process_s_to_tell(world: World) -> None:
    refusing, well = Endpoint(takes=lambda spans: False), Endpoint()
    tracer = world.tracer(refusing)
    await world.started("t", 1)
    await told(tracer)
    await tracer.aclose()
    assert tracer.numbers.dropped == 0
    second = world.tracer(well)
    await told(second)
    await second.aclose()
    assert well.names == [START]


async def test_a_black_hole_holds_nobody_up_and_what_went_into_it_is_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    hole, well = Endpoint(hole=threading.Event()), Endpoint()
    tracer = world.tracer(hole, closing_s=0.05)
    await world.started("in the hole", 1)
    asking = asyncio.ensure_future(tracer.run())
    await eventually(lambda: hole.attempts)
    await world.started("after it", 2)
    asking.cancel()
    await asyncio.wait([asking])
    async with asyncio.timeout(30):
        await tracer.aclose()
    assert (tracer.numbers.exported, tracer.numbers.dropped) == (0, 1)
    assert [getattr(r, "action", "") for r in caplog.records] == ["traces_dropped"]
    await eventually(lambda: hole.closed)
    second = world.tracer(well)
    await told(second)
    await second.aclose()
    assert [span.attributes["subagent.task.id"] for span in well.taken] == ["after it"]
    assert hole.hole is not None
    hole.hole.set()


async def test_at_the_end_runs_do_not_wait_for_their_usage(world: World) -> None:
    endpoint = Endpoint()
    tracer = world.tracer(endpoint)
    await world.started("t", 0)
    await world.seen("t", RunStatus.SUCCESS, 0)
    await tracer.aclose()
    assert endpoint.names == [START, RUN]


async def test_whoever_begins_begins_with_what_comes_next() -> None:
    world, endpoint = World(MemoryStore()), Endpoint()
    await world.started("before", 1)
    tracer = world.tracer(endpoint)
    await told(tracer)
    await world.started("after", 2)
    await told(tracer)
    await tracer.aclose()
    assert [span.attributes["subagent.task.id"] for span in endpoint.taken] == ["after"]
