"""Finding out what became of starts whose answer never came (failures.md 2, 6)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tests.support.agent_server import ScriptedServer, server_run
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.core.model import Intent, Task
from subagent_sidecar.errors import (
    StoreUnavailable,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnreachable,
)
from subagent_sidecar.ports import AgentServer
from subagent_sidecar.reconciler import Reconciler
from subagent_sidecar.service import Service
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

PATIENCE = 35
KEY = [(b"x-api-key", b"secret")]


@dataclass
class Desk:
    """A reconciler on books in memory, with one server called `up`."""

    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    server: ScriptedServer = field(default_factory=ScriptedServer)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.reconciler = self.new_reconciler()

    def new_reconciler(self) -> Reconciler:
        """Another process, begun now."""
        servers: dict[str, AgentServer] = {"up": self.server}
        return Reconciler(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            patience=timedelta(seconds=PATIENCE),
            interval_s=0.01,
        )

    async def admitted(self, thread_id: str | None = "t", **facts: Any) -> Intent:
        usual = {"upstream": "up", "supervisor": "ann", "assistant_id": "graph"}
        intent = await self.service.admit(thread_id=thread_id, **{**usual, **facts})
        self.clock.tick(0.001)
        return intent

    async def doubted(self, thread_id: str | None = "t", **facts: Any) -> Intent:
        intent = await self.admitted(thread_id, **facts)
        self.reconciler.doubt(intent, "timeout", auth=KEY, answered=False)
        return intent

    async def known(self, task_id: str = "t") -> Task:
        task = await self.task(task_id)
        assert task is not None
        return task

    async def task(self, task_id: str = "t") -> Task | None:
        await self.service.flush()
        record = await self.store.task(task_id)
        return None if record is None else record.task

    async def open(self) -> list[str]:
        await self.service.flush()
        return [intent.intent_id for intent in await self.store.open_intents(before="9")]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_run_with_our_request_id_is_the_one(desk: Desk) -> None:
    intent = await desk.doubted()
    theirs = server_run("theirs", status="running", request_id="other")
    ours = server_run("ours", status="running", request_id=intent.request_id)
    desk.server.listed = [theirs, ours]
    assert await desk.reconciler.sweep() == 0
    task = await desk.task()
    assert task is not None
    assert (task.run_id, task.status) == ("ours", "running")


async def test_where_no_server_keeps_ids_the_unaccounted_run_is_the_one(desk: Desk) -> None:
    await desk.doubted()
    desk.server.listed = [server_run("r1", status="success")]
    assert await desk.reconciler.sweep() == 0
    task = await desk.task()
    assert task is not None
    assert (task.run_id, task.status) == ("r1", "success")


async def test_a_start_the_server_does_not_show_is_given_up_when_it_cannot_come_any_more(
    desk: Desk,
) -> None:
    await desk.doubted()
    assert await desk.reconciler.sweep() == 1
    desk.clock.tick(PATIENCE - 1)
    assert await desk.reconciler.sweep() == 1
    desk.clock.tick(1)
    assert await desk.reconciler.sweep() == 0
    assert not (await desk.known()).live
    assert [event.kind for event in await desk.store.events("t", limit=9)][-1] == "start_failed"


async def test_a_start_the_server_answered_is_given_up_at_once(desk: Desk) -> None:
    intent = await desk.admitted()
    desk.reconciler.doubt(intent, "the server answered 500", auth=(), answered=True)
    assert await desk.reconciler.sweep() == 0
    assert not (await desk.known()).live


async def test_a_server_that_shows_no_runs_leaves_only_patience(desk: Desk) -> None:
    desk.server.listed = None
    await desk.doubted()
    assert await desk.reconciler.sweep() == 1
    desk.clock.tick(PATIENCE)
    assert await desk.reconciler.sweep() == 0


@pytest.mark.parametrize("facts", [{"thread_id": None}, {"cron": True}])
async def test_what_cannot_be_looked_up_is_not_looked_up(desk: Desk, facts: dict[str, Any]) -> None:
    desk.server.listed = [server_run("somebody's")]
    await desk.doubted(**facts)
    assert await desk.reconciler.sweep() == 1
    assert desk.server.asked == []
    desk.clock.tick(PATIENCE)
    assert await desk.reconciler.sweep() == 0
    assert await desk.task() is None  # there was never a thread to call a task


async def test_a_server_in_trouble_gives_nothing_up(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.doubted()
    desk.server.down = UpstreamUnreachable("connection refused")
    desk.clock.tick(10 * PATIENCE)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await desk.reconciler.sweep() == 1
    assert [getattr(record, "action", "") for record in caplog.records] == ["intent_open"]


async def test_one_server_in_trouble_does_not_stop_the_look_at_others(desk: Desk) -> None:
    await desk.doubted("t1", upstream="not configured any more")
    intent = await desk.doubted("t2")
    desk.server.listed = [server_run("r2", "t2", request_id=intent.request_id)]
    assert await desk.reconciler.sweep() == 1
    assert await desk.task("t2") is not None


async def test_a_start_that_is_on_its_way_is_left_alone(desk: Desk) -> None:
    await desk.admitted()
    assert await desk.reconciler.sweep() == 1
    assert desk.server.asked == []
    desk.clock.tick(6)
    assert await desk.reconciler.sweep() == 1
    assert desk.server.asked == ["runs of t"]


async def test_what_an_earlier_process_left_behind_is_never_young(desk: Desk) -> None:
    intent = await desk.admitted()
    desk.server.listed = [server_run("r1", request_id=intent.request_id)]
    assert await desk.new_reconciler().sweep() == 0
    task = await desk.task()
    assert task is not None
    assert task.run_id == "r1"


async def test_a_doubtful_update_is_found_among_the_runs_on_record(desk: Desk) -> None:
    first = await desk.admitted()
    desk.service.accepted(first, [server_run("r1")])
    update = await desk.doubted()
    desk.server.listed = [
        server_run("r2", request_id=update.request_id),
        server_run("r1", request_id=first.request_id),
    ]
    assert await desk.reconciler.sweep() == 0
    task = await desk.task()
    assert task is not None
    assert task.run_id == "r2"


async def test_a_request_sent_twice_that_made_one_run_is_settled_once(desk: Desk) -> None:
    first = await desk.admitted(request_id="theirs")
    desk.service.accepted(first, [server_run("r1")])
    await desk.doubted(request_id="theirs")
    desk.server.listed = [server_run("r1", request_id="theirs")]
    assert await desk.reconciler.sweep() == 0
    record = await desk.store.task("t")
    assert record is not None
    assert [run.run_id for run in record.runs] == ["r1"]


async def test_the_senders_credentials_are_presented_until_it_is_settled(desk: Desk) -> None:
    await desk.doubted()
    await desk.reconciler.sweep()
    await desk.reconciler.sweep()
    assert desk.server.presented == [KEY, KEY]


async def test_a_start_that_falls_into_doubt_during_a_look_keeps_its_credentials(
    desk: Desk,
) -> None:
    await desk.doubted("t1")
    desk.server.gate = asyncio.Event()
    sweep = spawn(desk.reconciler.sweep(), name="sweep", awaited=True)
    await eventually(lambda: desk.server.asked)
    intent = await desk.admitted("t2")
    desk.reconciler.doubt(intent, "the server answered 500", auth=KEY, answered=True)
    desk.server.gate.set()
    assert await sweep == 2
    desk.server.presented.clear()
    await desk.reconciler.sweep()
    assert desk.server.presented == [KEY, KEY]
    assert not (await desk.known("t2")).live  # it was answered: no need for patience


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[None]:
    loop = spawn(desk.reconciler.run(), name="reconciler", awaited=True)
    yield
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop


async def test_a_doubt_wakes_the_loop(desk: Desk) -> None:
    async with running(desk):
        await asyncio.sleep(0)
        intent = await desk.doubted()
        desk.server.listed = [server_run("r1", request_id=intent.request_id)]
        await eventually(lambda: desk.server.asked)
    task = await desk.task()
    assert task is not None
    assert task.run_id == "r1"


async def test_a_doubt_that_comes_during_a_look_is_not_slept_over(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    async with running(desk):
        await desk.doubted("t1")
        await eventually(lambda: desk.server.asked)
        await desk.doubted("t2")
        first = await desk.open()
        desk.server.listed = None
        desk.clock.tick(2 * PATIENCE)  # t1 is given up: nothing of this look is left open
        desk.server.gate.set()
        await eventually(lambda: "runs of t2" in desk.server.asked)
        assert len(first) == 2
    assert await desk.open() == []


async def test_the_loop_outlives_a_store_in_trouble(desk: Desk) -> None:
    await desk.doubted()
    desk.server.listed = None
    await desk.service.flush()
    desk.store.down = StoreUnavailable("database is locked")
    async with running(desk):
        await asyncio.sleep(0.05)
        assert desk.server.asked == []
        desk.store.down = None
        await eventually(lambda: desk.server.asked)


async def test_the_loop_outlives_an_error_of_the_server(desk: Desk) -> None:
    await desk.doubted()
    desk.server.down = UpstreamError("the server answered 500 to GET")
    async with running(desk):
        await eventually(lambda: len(desk.server.asked) == 1)
        desk.clock.tick(60)  # a server in trouble is left alone for a while
        await eventually(lambda: len(desk.server.asked) >= 2)


async def test_several_starts_in_doubt_on_one_thread_each_get_a_run_of_their_own(
    desk: Desk,
) -> None:
    for _ in range(3):
        await desk.doubted()
    desk.server.listed = [server_run(name) for name in ("r3", "r2", "r1")]
    assert await desk.reconciler.sweep() == 0
    record = await desk.store.task("t")
    assert record is not None
    assert {run.run_id for run in record.runs} == {"r1", "r2", "r3"}


async def test_a_start_a_crash_left_behind_is_seen_when_the_server_will_not_tell_us(
    desk: Desk,
) -> None:
    await desk.admitted()
    desk.clock.tick(1)
    desk.server.down = UpstreamRefused("the server answered 401 to GET /threads/t/runs")
    assert await desk.new_reconciler().sweep() == 1
    assert (await desk.known()).live
    desk.service.seen.run("up", "t", "r1", "running", created_at="2099-01-01T00:00:00+00:00")
    task = await desk.known()
    assert (task.run_id, task.status) == ("r1", "running")
    assert await desk.open() == []


async def test_a_server_in_trouble_is_left_alone_for_a_while(desk: Desk) -> None:
    await desk.doubted("t1")
    desk.server.down = UpstreamUnreachable("connection refused")
    await desk.reconciler.sweep()
    asked = len(desk.server.asked)
    await desk.reconciler.sweep()
    assert len(desk.server.asked) == asked  # left alone for a while
    desk.clock.tick(60)
    await desk.reconciler.sweep()
    assert len(desk.server.asked) == asked + 1


async def test_a_start_whose_answer_is_awaited_is_not_given_up_however_long_it_takes(
    desk: Desk,
) -> None:
    intent = await desk.admitted(thread_id=None)
    with desk.reconciler.under_way(intent):
        desk.clock.tick(PATIENCE * 100)
        assert await desk.reconciler.sweep() == 1
        assert await desk.open() == [intent.intent_id]
    assert await desk.reconciler.sweep() == 0


async def test_a_start_whose_answer_is_awaited_is_found_before_the_answer(desk: Desk) -> None:
    intent = await desk.admitted()
    desk.server.listed = [server_run("r1", status="running", request_id=intent.request_id)]
    with desk.reconciler.under_way(intent):
        desk.clock.tick(PATIENCE * 100)
        assert await desk.reconciler.sweep() == 0
    assert (await desk.known()).run_id == "r1"
