"""Usage that cannot be read, and what a reader does then, or at its beginning and end."""

import asyncio
import logging

import pytest
from tests.support.waiting import eventually
from tests.unit.usage_reader.desk import DOWN, Desk, message

from subagent_sidecar.errors import (
    StoreUnavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)

INTERVAL, RATE = 15.0, 10.0


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
    async with asyncio.timeout(30):
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
