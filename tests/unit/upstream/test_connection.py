"""What a connection does at moments that a real server cannot be made to hit."""

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from subagent_sidecar.errors import UpstreamBroken
from subagent_sidecar.ports import Exchange, Outgoing
from subagent_sidecar.upstream.answers import HIGH_WATER
from subagent_sidecar.upstream.connection import Connection
from subagent_sidecar.upstream.sending import encode

GET = Outgoing(method=b"GET", target=b"/", headers=())
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    """Records what it was told."""

    def __init__(self, sock: socket.socket) -> None:
        self.aborted = False
        self.reading = True
        self.written: list[bytes] = []
        self._socket = sock

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self._socket}.get(name)

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


class Pool:
    """Where connections go back to."""

    display_url = "http://agents"

    def __init__(self) -> None:
        self.idle: list[Connection] = []

    def opened(self, connection: Connection) -> None:
        """Not of interest here."""

    def released(self, connection: Connection) -> None:
        self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Not of interest here."""


class Rig:
    def __init__(self, sock: socket.socket) -> None:
        self.pool = Pool()
        self.transport = Transport(sock)
        self.connection = Connection(self.pool, time.monotonic)
        self.connection.connection_made(cast(asyncio.Transport, self.transport))

    async def begin(self) -> asyncio.Task[Exchange]:
        """An exchange whose request has been written."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self.connection.exchange(GET, encode(GET)))
        await asyncio.sleep(0)
        assert self.transport.written == [b"GET / HTTP/1.1\r\n\r\n"]
        return task


@pytest.fixture
def quiet_socket() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


@pytest.fixture
async def rig(quiet_socket: socket.socket) -> Rig:
    return Rig(quiet_socket)


async def cancelled(task: asyncio.Task[Exchange]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_just_after_a_whole_answer_leaves_the_connection_alone(rig: Rig) -> None:
    """It is back in the pool by then, and may carry somebody else's request."""
    task = await rig.begin()
    rig.connection.data_received(WHOLE)
    task.cancel()
    await cancelled(task)
    assert rig.pool.idle == [rig.connection]
    assert rig.connection.usable()
    assert not rig.transport.aborted


@pytest.mark.parametrize("answer", [WHOLE, STREAM])
async def test_an_answer_just_after_the_cancelling_does_not_save_the_connection(
    rig: Rig, answer: bytes
) -> None:
    task = await rig.begin()
    task.cancel()
    rig.connection.data_received(answer)
    await cancelled(task)
    assert rig.pool.idle == []
    assert rig.transport.aborted


async def test_cancelling_just_after_the_head_of_a_stream_drops_the_connection(rig: Rig) -> None:
    task = await rig.begin()
    rig.connection.data_received(STREAM)
    task.cancel()
    await cancelled(task)
    assert rig.transport.aborted


async def test_cancelling_just_after_the_connection_broke_loses_no_error(rig: Rig) -> None:
    """An exception that nobody fetched would be logged by asyncio."""
    task = await rig.begin()
    rig.connection.connection_lost(None)
    task.cancel()
    await cancelled(task)


async def test_an_answer_in_the_middle_of_its_short_body_is_broken_at_once(rig: Rig) -> None:
    task = await rig.begin()
    rig.connection.data_received(WHOLE[:-1])
    rig.connection.eof_received()
    with pytest.raises(UpstreamBroken, match="in the middle of its answer"):
        await task


async def test_reading_stops_above_the_high_water_mark_and_goes_on_below(rig: Rig) -> None:
    task = await rig.begin()
    rig.connection.data_received(STREAM + b"x" * HIGH_WATER)
    chunks = aiter((await task).chunks())
    assert rig.transport.reading
    rig.connection.data_received(b"y")
    assert not rig.transport.reading
    rig.connection.data_received(b"z")  # was under way already
    assert await anext(chunks) == b"x" * HIGH_WATER + b"yz"
    rig.connection.data_received(b"x" * HIGH_WATER)
    assert rig.transport.reading
    assert len(await anext(chunks)) == HIGH_WATER
    rig.connection.connection_lost(None)
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


async def test_a_connection_that_goes_back_paused_reads_again(rig: Rig) -> None:
    task = await rig.begin()
    size = 2 * HIGH_WATER
    rig.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    rig.connection.data_received(b"x" * (size - 1))
    assert not rig.transport.reading
    rig.connection.data_received(b"x")  # was under way already
    assert rig.pool.idle == [rig.connection]
    assert rig.transport.reading
    assert b"".join([piece async for piece in (await task).chunks()]) == b"x" * size


async def test_bytes_after_the_end_are_not_looked_at(rig: Rig) -> None:
    task = await rig.begin()
    rig.connection.abort()
    rig.connection.data_received(WHOLE)
    rig.connection.eof_received()
    rig.connection.connection_lost(None)
    assert rig.pool.idle == []
    task.cancel()
    await cancelled(task)
