"""Reading what tasks used: after the ends of runs, during long ones, and through outages."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.agent_server import ScriptedServer, server_run
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.core.model import EndedBy, RunStatus, Usage, UsageEntry, total
from subagent_sidecar.core.usage import Reading
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.errors import (
    StoreUnavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from subagent_sidecar.ports import AgentServer
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock
from subagent_sidecar.usage_reader import UsageReader

INTERVAL, RATE = 15.0, 10.0
KEY = [(b"x-api-key", b"secret")]
DOWN = UpstreamUnreachable("no connection")


def message(number: int, *, given: int = 100, written: int = 10, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"m{number}",
        "usage_metadata": {"input_tokens": given, "output_tokens": written},
        "response_metadata": {"model_name": "a-model"},
        **fields,
    }


@dataclass
class Desk:
    """A reader of `up` and of another server, on books in memory; a token is a micro-dollar."""

    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    server: ScriptedServer = field(default_factory=ScriptedServer)
    elsewhere: ScriptedServer = field(default_factory=ScriptedServer)
    credentials: Credentials = field(default_factory=Credentials)
    priced: bool = True
    spare: bool = True

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.reader = self.new_reader()
        self.service.observe(self.reader)

    def new_reader(self) -> UsageReader:
        """Another process, begun now."""
        servers: dict[str, AgentServer] = {"up": self.server, "elsewhere": self.elsewhere}
        return UsageReader(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            credentials=self.credentials,
            cost=lambda reading, at: self.cost(reading),
            interval_s=INTERVAL,
            spare=lambda _: self.spare,
            rate=RATE,
            settle_s=0.0,
            jitter=lambda: 1.0,
        )

    def cost(self, reading: Reading) -> int | None:
        return reading.input_tokens + reading.output_tokens if self.priced else None

    async def start(self, run_id: str = "r1", thread_id: str = "t") -> None:
        intent = await self.service.admit(upstream="up", supervisor="ann", thread_id=thread_id)
        self.clock.tick(0.001)
        self.service.accepted(intent, [server_run(run_id, thread_id)])

    def moves(self, status: str, run_id: str = "r1", thread_id: str = "t") -> None:
        self.clock.tick(0.001)
        self.service.seen.run("up", thread_id, run_id, status)

    def answers(self, *messages: Any) -> None:
        self.server.shown = messages

    async def pass_time(self, seconds: float) -> None:
        """Let time go by in steps as the reader takes them."""
        left = seconds
        while left > 0:
            wait = await self.reader.turn("up")
            step = min(left, max(wait if wait is not None else left, 0.001))
            self.clock.tick(step)
            left -= step
        await self.reader.turn("up")

    async def entries(self, thread_id: str = "t") -> Sequence[UsageEntry]:
        await self.service.flush()
        record = await self.store.task(thread_id)
        assert record is not None
        return record.usage

    async def usage(self, thread_id: str = "t") -> Usage | None:
        return total(await self.entries(thread_id))

    async def by_run(self) -> dict[str, str]:
        return {entry.message_id: entry.run_id for entry in await self.entries()}


@pytest.fixture
async def desk() -> Desk:
    found = Desk()
    await found.start()
    return found


@pytest.mark.parametrize("word", ["success", "error", "timeout", "interrupted"])
async def test_a_run_that_has_ended_is_read_once(desk: Desk, word: str) -> None:
    desk.answers(message(1), message(2, given=200, written=20))
    desk.moves(word)
    await desk.pass_time(600)
    assert desk.server.asked == ["messages of t"]
    assert await desk.usage() == Usage(
        input_tokens=300,
        output_tokens=30,
        cache_read_tokens=0,
        cache_write_tokens=0,
        cost_micro_usd=330,
        models=("a-model",),
    )


async def test_what_is_not_priced_has_no_cost(desk: Desk) -> None:
    desk.priced = False
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(1)
    usage = await desk.usage()
    assert usage is not None and usage.input_tokens == 100 and usage.cost_micro_usd is None


async def test_a_state_that_says_nothing_leaves_the_usage_unknown(desk: Desk) -> None:
    desk.answers({"type": "ai", "content": "hi"}, None, 7)
    desk.moves("success")
    await desk.pass_time(1)
    assert await desk.usage() is None


async def test_a_long_run_is_read_every_so_often(desk: Desk) -> None:
    desk.moves("running")
    desk.answers(message(1))
    await desk.pass_time(16)
    assert len(desk.server.asked) == 1
    assert [entry.message_id for entry in await desk.entries()] == ["m1"]
    desk.answers(message(1), message(2))
    await desk.pass_time(15)
    assert len(desk.server.asked) == 2
    assert [entry.message_id for entry in await desk.entries()] == ["m1", "m2"]
    desk.moves("success")
    await desk.pass_time(600)
    assert len(desk.server.asked) == 3, "its end, and then no more"


async def test_a_message_that_grew_counts_once_as_it_is_now(desk: Desk) -> None:
    desk.moves("running")
    desk.answers(message(1, written=1))
    await desk.pass_time(16)
    desk.answers(message(1, written=10))
    desk.moves("success")
    await desk.pass_time(1)
    usage = await desk.usage()
    assert usage is not None and (usage.output_tokens, usage.cost_micro_usd) == (10, 110)


async def test_what_is_on_record_is_not_entered_again(desk: Desk) -> None:
    desk.moves("running")
    desk.answers(message(1))
    await desk.pass_time(16)
    (first,) = await desk.entries()
    desk.priced = False  # it would lose its price if it were looked at again
    desk.moves("success")
    await desk.pass_time(1)
    assert list(await desk.entries()) == [first] and first.cost_micro_usd == 110


async def test_what_had_no_price_gets_it_once_there_is_one(desk: Desk) -> None:
    desk.priced = False
    desk.moves("running")
    desk.answers(message(1))
    await desk.pass_time(16)
    desk.priced = True
    await desk.pass_time(15)
    (entry,) = await desk.entries()
    assert entry.cost_micro_usd == 110


async def test_the_messages_of_a_follow_up_are_its_own(desk: Desk) -> None:
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(1)
    await desk.start("r2")
    desk.moves("running", "r2")
    desk.answers(message(1), message(2))
    desk.moves("success", "r2")
    await desk.pass_time(1)
    assert await desk.by_run() == {"m1": "r1", "m2": "r2"}


async def test_a_follow_up_that_waits_does_not_get_the_messages_before_it(desk: Desk) -> None:
    desk.moves("running")
    await desk.start("r2")
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(1)
    assert await desk.by_run() == {"m1": "r1"}


async def test_a_run_that_is_gone_leaves_its_finished_steps(desk: Desk) -> None:
    desk.answers(message(1))
    desk.service.seen.run_gone("up", "t", "r1", by=EndedBy.SUPERVISOR, reason="rolled back")
    await desk.pass_time(1)
    assert await desk.by_run() == {"m1": "r1"}


async def test_a_thread_that_is_gone_is_not_read(desk: Desk) -> None:
    desk.moves("running")
    desk.service.seen.thread_gone("up", "t", by=EndedBy.SUPERVISOR, reason="deleted")
    await desk.pass_time(100)
    assert desk.server.asked == []


async def test_a_server_that_does_not_show_its_state_is_not_asked_on_and_on(desk: Desk) -> None:
    desk.server.shown = None
    desk.moves("running")
    await desk.pass_time(100)
    assert len(desk.server.asked) == 1
    desk.moves("success")
    await desk.pass_time(100)
    assert len(desk.server.asked) == 2
    assert await desk.usage() is None


async def test_a_thread_that_is_no_task_of_ours_is_not_read(desk: Desk) -> None:
    desk.moves("success", "r9", "foreign")
    await desk.pass_time(1)
    assert desk.server.asked == []


async def test_only_the_server_a_task_lives_on_is_asked(desk: Desk) -> None:
    desk.reader.run_moved("elsewhere", "t", "r1", RunStatus.SUCCESS)
    desk.reader.run_moved("not configured any more", "t", "r1", RunStatus.SUCCESS)
    await desk.reader.turn("elsewhere")
    assert desk.elsewhere.asked == []


async def test_the_newest_credentials_of_the_thread_are_presented(desk: Desk) -> None:
    desk.credentials.keep("t", KEY)
    desk.moves("success")
    await desk.pass_time(1)
    assert [list(auth) for auth in desk.server.presented] == [KEY]


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        UpstreamTimeout("too slow", phase="connect"),
        UpstreamTimeout("too slow", phase="first byte"),
        UpstreamBroken("cut"),
        UpstreamRefused("the server answered 500"),
    ],
)
async def test_an_end_is_read_when_the_server_is_back(desk: Desk, error: UpstreamError) -> None:
    """failures.md 1, 2, 3"""
    desk.server.down = error
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(60)
    assert await desk.usage() is None
    assert 3 <= len(desk.server.asked) <= 8, "with growing pauses"
    desk.server.down = None
    await desk.pass_time(120)
    assert await desk.usage() is not None


async def test_a_long_outage_loses_no_end(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    desk.server.down = DOWN
    desk.moves("success")
    await desk.pass_time(24 * 3_600)
    assert len(caplog.records) == 1, "told once"
    desk.server.down = None
    desk.answers(message(1))
    await desk.pass_time(120)
    assert await desk.usage() is not None


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRefused("the server answered 401"),
        UpstreamTimeout("too slow", phase="first byte"),
        UpstreamBroken("too large to read"),
    ],
)
async def test_a_server_that_refuses_one_thread_for_ever_is_let_be(
    desk: Desk, error: UpstreamError, caplog: pytest.LogCaptureFixture
) -> None:
    desk.server.down = error
    desk.moves("success")
    await desk.pass_time(3_600)
    assert len(desk.server.asked) == 10
    (record,) = caplog.records
    assert "stays unknown" in record.message and error.message in record.message


async def test_a_store_in_trouble_is_waited_for(desk: Desk) -> None:
    await desk.service.flush()
    desk.answers(message(1))
    desk.moves("success")
    await desk.service.flush()
    desk.store.down = StoreUnavailable("locked")
    await desk.pass_time(10)
    assert desk.server.asked == []
    desk.store.down = None
    await desk.pass_time(120)
    assert await desk.usage() is not None


async def test_requests_keep_their_distance(desk: Desk) -> None:
    for number in range(200):
        await desk.start(f"run{number}", f"thread{number}")
        desk.service.seen.run("up", f"thread{number}", f"run{number}", "running")
    await desk.pass_time(INTERVAL + 5)
    assert 40 <= len(desk.server.asked) <= 52
    desk.server.asked.clear()
    for number in range(200):
        desk.service.seen.run("up", f"thread{number}", f"run{number}", "success")
    await desk.pass_time(10)
    assert 95 <= len(desk.server.asked) <= 102, "also when all of them end at once"


async def test_a_new_process_reads_what_the_last_one_did_not(desk: Desk) -> None:
    desk.moves("success")
    await desk.start("r2", "other")
    desk.moves("running", "r2", "other")
    await desk.service.flush()
    desk.answers(message(1))
    desk.reader = desk.new_reader()
    await desk.reader.catch_up()
    await desk.pass_time(1)
    assert desk.server.asked == ["messages of t"]
    await desk.pass_time(INTERVAL)
    assert desk.server.asked == ["messages of t", "messages of other"]
    assert await desk.usage() is not None and await desk.usage("other") is not None


async def test_a_new_process_does_not_read_again_what_was_read(desk: Desk) -> None:
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(1)
    await desk.service.flush()
    desk.reader = desk.new_reader()
    await desk.reader.catch_up()
    await desk.pass_time(100)
    assert desk.server.asked == ["messages of t"]


async def test_it_runs_by_itself_until_it_is_closed(desk: Desk) -> None:
    desk.answers(message(1))
    desk.reader.start()
    desk.moves("success")
    await eventually(lambda: desk.server.asked)
    await desk.reader.aclose()
    asked = len(desk.server.asked)
    await desk.start("r2", "other")
    desk.moves("success", "r2", "other")
    await asyncio.sleep(0)
    assert len(desk.server.asked) == asked


async def test_closing_does_not_wait_for_a_server_that_hangs(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    desk.reader.start()
    desk.moves("success")
    await eventually(lambda: desk.server.asked)
    async with asyncio.timeout(5):
        await desk.reader.aclose()


async def test_where_there_are_no_requests_to_spare_there_are_two_a_second(desk: Desk) -> None:
    desk.spare = False
    for number in range(30):
        await desk.start(f"r{number}", f"t{number}")
        desk.moves("success", f"r{number}", f"t{number}")
    await desk.pass_time(10)
    assert 18 <= len(desk.server.asked) <= 21
    desk.spare = True
    await desk.pass_time(2)
    assert len(desk.server.asked) == 30
