"""Rows 2 and 19: deadlines, and clients that go away. The server always gets to know."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from tests.integration.upstream.raw_server import Connect, Peer, RawServer, get, serving
from tests.support.waiting import eventually

from subagent_sidecar.errors import UpstreamBroken, UpstreamTimeout
from subagent_sidecar.ports import Exchange

WITHIN_S = 30.0
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"


async def mute(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def stream(peer: Peer) -> None:
    await peer.answer(STREAM)
    await peer.gone()


def left(server: RawServer) -> asyncio.Future[list[None]]:
    """Done when the server has seen every client leave."""
    return asyncio.gather(*server.scripts)


async def reading(exchange: Exchange) -> AsyncGenerator[bytes, None]:
    """The iterator over the body, after its first piece."""
    chunks = cast(AsyncGenerator[bytes, None], exchange.chunks())
    assert await anext(chunks) == b"hi"
    return chunks


@pytest.mark.parametrize("head", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"])
async def test_a_server_without_an_answer_is_given_up_on(connect: Connect, head: bytes) -> None:
    clock = [0.0]

    async def script(peer: Peer) -> None:
        await peer.answer(head)
        clock[0] += 30.5
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port, now=lambda: clock[0])
        with pytest.raises(UpstreamTimeout) as raised:
            await upstream.send(get(first_byte_timeout=30.0))
        await left(server)
        assert server.connections == 1
    assert raised.value.phase == "first byte"
    assert raised.value.message.endswith("did not begin to answer within 30 s")


async def test_once_begun_an_answer_may_take_for_ever(connect: Connect) -> None:
    clock = [0.0]

    async def script(peer: Peer) -> None:
        await peer.answer(STREAM)
        clock[0] += 100_000
        await asyncio.sleep(0.3)  # three looks at the deadlines
        await peer.send(b"2\r\nho\r\n0\r\n\r\n")

    async with serving(script) as server:
        exchange = await connect(server.port, now=lambda: clock[0]).send(
            get(first_byte_timeout=30.0)
        )
        assert [piece async for piece in exchange.chunks()] == [b"hi", b"ho"]


async def test_without_a_timeout_the_wait_has_no_end(connect: Connect) -> None:
    clock = [0.0]

    async def script(peer: Peer) -> None:
        await peer.request()
        clock[0] += 100_000
        await asyncio.sleep(0.3)
        await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with serving(script) as server:
        upstream = connect(server.port, now=lambda: clock[0])
        assert (await upstream.send(get(first_byte_timeout=None))).status == 204


async def test_a_cancelled_send_hangs_up(connect: Connect) -> None:
    async with serving(mute) as server:
        upstream = connect(server.port)
        sending = asyncio.ensure_future(upstream.send(get()))
        await eventually(lambda: server.open)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await left(server)
        assert upstream.open_connections == 0


async def test_an_aborted_exchange_hangs_up(connect: Connect) -> None:
    async with serving(stream) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(get())
        exchange.abort()
        exchange.abort()
        await left(server)
        with pytest.raises(UpstreamBroken):
            _ = [piece async for piece in exchange.chunks()]


async def test_a_reader_that_waits_learns_of_an_abort(connect: Connect) -> None:
    async with serving(stream) as server:
        exchange = await connect(server.port).send(get())
        waiting = asyncio.ensure_future(anext(await reading(exchange)))
        await asyncio.sleep(0)
        exchange.abort()
        with pytest.raises(UpstreamBroken):
            await waiting


async def test_leaving_the_iteration_hangs_up(connect: Connect) -> None:
    async with serving(stream) as server:
        exchange = await connect(server.port).send(get())
        await (await reading(exchange)).aclose()
        await left(server)


async def test_cancelling_the_reader_hangs_up(connect: Connect) -> None:
    async with serving(stream) as server:
        exchange = await connect(server.port).send(get())
        waiting = asyncio.ensure_future(anext(await reading(exchange)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await left(server)


async def test_a_forgotten_iteration_hangs_up(connect: Connect) -> None:
    async with serving(stream) as server:
        exchange = await connect(server.port).send(get())
        chunks = await reading(exchange)
        del chunks
        gc.collect()
        await left(server)


async def test_closing_the_client_breaks_what_is_running(connect: Connect) -> None:
    """Row 27: an answer that is cut off is never mistaken for a complete one."""
    mode = {1: stream, 2: mute}

    async with serving(lambda peer: mode[peer.number](peer)) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(get())
        waiting = asyncio.ensure_future(anext(await reading(exchange)))
        sending = asyncio.ensure_future(upstream.send(get()))
        await eventually(lambda: server.open == 2)
        await upstream.aclose()
        assert upstream.open_connections == 0
        for running in (waiting, sending):
            with pytest.raises(UpstreamBroken, match="no longer used"):
                await running
        await left(server)


async def test_many_streams_stop_nobody(connect: Connect) -> None:
    """Row 18: no limit of connections that long streams could use up."""

    async def script(peer: Peer) -> None:
        await peer.answer(STREAM if peer.number <= 300 else b"HTTP/1.1 204 No Content\r\n\r\n")
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        streams = [await upstream.send(get()) for _ in range(300)]
        assert (await upstream.send(get())).status == 204
        assert upstream.open_connections == 301
        for exchange in streams:
            exchange.abort()
        await eventually(lambda: upstream.open_connections == 1)


# Row 15
async def test_one_that_leaves_just_as_its_connection_is_made_leaves_none(
    connect: Connect,
) -> None:
    async with serving(mute) as server:
        upstream = connect(server.port)
        asking = asyncio.ensure_future(upstream.send(get()))
        async with asyncio.timeout(WITHIN_S):
            while not upstream.open_connections:  # noqa: ASYNC110 - to be the first to know
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            await upstream.aclose()
        assert upstream.open_connections == 0
