"""Which connection carries a request, and what happens when it turns out to be dead."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.integration.upstream.raw_server import (
    OK,
    Connect,
    Peer,
    answering,
    get,
    post,
    read,
    serving,
)
from tests.support.waiting import eventually

from subagent_sidecar.errors import UpstreamBroken, UpstreamUnreachable
from subagent_sidecar.ports import Outgoing


async def dies_on_the_second_request(peer: Peer) -> None:
    """Keeps the first connection, and hangs up on it when it is used again."""
    await peer.answer()
    if peer.number == 1:
        await peer.request()
    else:
        await peer.gone()


async def test_the_last_connection_released_is_used_first(connect: Connect) -> None:
    used = []

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer()
            used.append(peer.number)

    async with serving(script) as server:
        upstream = connect(server.port)
        await asyncio.gather(*(upstream.send(get()) for _ in range(3)))
        assert (upstream.open_connections, upstream.idle_connections) == (3, 3)
        last = used[-1]
        for _ in range(5):
            await upstream.send(get())
        assert used[3:] == [last] * 5


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_a_replayable_request_survives_a_dead_connection(
    connect: Connect, method: bytes
) -> None:
    async with serving(dies_on_the_second_request) as server:
        upstream = connect(server.port)
        await upstream.send(get())
        assert (await upstream.send(get(method=method))).status == 200
        assert server.connections == 2


async def no_pieces() -> AsyncIterator[bytes]:
    empty: list[bytes] = []
    for piece in empty:
        yield piece


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: post(),
        lambda: get(replayable=False),
        lambda: get(body=b""),
        lambda: get(body=no_pieces()),
    ],
    ids=["post", "not replayable", "with a body", "with a stream"],
)
async def test_no_other_request_is_ever_sent_twice(connect: Connect, request_of: object) -> None:
    assert callable(request_of)
    request = request_of()
    assert isinstance(request, Outgoing)
    async with serving(dies_on_the_second_request) as server:
        upstream = connect(server.port)
        await upstream.send(get())
        with pytest.raises(UpstreamBroken, match="closed the connection without an answer"):
            await upstream.send(request)
        assert server.connections == 1


async def test_a_fresh_connection_that_dies_is_not_tried_again(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with serving(script) as server:
        with pytest.raises(UpstreamBroken):
            await connect(server.port).send(get())
        assert server.connections == 1


async def test_a_replay_happens_once(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer()
        await peer.request()

    async with serving(script) as server:
        upstream = connect(server.port)
        await upstream.send(get())
        with pytest.raises(UpstreamBroken):
            await upstream.send(get())
        assert server.connections == 2


async def test_after_the_first_byte_of_an_answer_nothing_is_sent_again(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer()
        await peer.answer(b"H")

    async with serving(script) as server:
        upstream = connect(server.port)
        await upstream.send(get())
        with pytest.raises(UpstreamBroken):
            await upstream.send(get())
        assert server.connections == 1


@asynccontextmanager
async def by_hand() -> AsyncIterator[tuple[int, list[socket.socket]]]:
    """A server whose sockets the test may touch while the loop is not looking."""
    loop = asyncio.get_running_loop()
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        async def serve() -> None:
            while True:
                peer, _ = await loop.sock_accept(listener)
                accepted.append(peer)
                await loop.sock_recv(peer, 65536)
                await loop.sock_sendall(peer, OK)

        task = loop.create_task(serve())
        yield listener.getsockname()[1], accepted
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    for peer in accepted:
        peer.close()


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
async def test_a_post_notices_a_dead_connection_before_it_is_written(
    connect: Connect, last_words: bytes
) -> None:
    """Even when the loop has had no chance yet to see that the server is gone."""
    async with by_hand() as (port, accepted):
        upstream = connect(port)
        await upstream.send(post())
        accepted[0].sendall(last_words)
        accepted[0].close()
        assert (await upstream.send(post())).body == b"ok"
        assert len(accepted) == 2


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
async def test_an_idle_connection_that_ends_or_speaks_is_dropped(
    connect: Connect, last_words: bytes
) -> None:
    told = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer()
        await told.wait()
        await peer.send(last_words)
        if last_words:
            await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port, keepalive=3600.0)
        await upstream.send(get())
        assert upstream.idle_connections == 1
        told.set()
        await eventually(lambda: upstream.open_connections == 0)
        assert upstream.idle_connections == 0


async def test_a_connection_too_long_idle_is_not_used_again(connect: Connect) -> None:
    clock = [0.0]
    async with serving(answering(OK)) as server:
        upstream = connect(server.port, now=lambda: clock[0], keepalive=4.0)
        await upstream.send(get())
        clock[0] += 3.9
        await upstream.send(get())
        assert server.connections == 1
        clock[0] += 4.0
        await upstream.send(get())
        assert server.connections == 2


async def test_a_connection_too_long_idle_is_closed_without_a_request(connect: Connect) -> None:
    clock = [0.0]
    async with serving(answering(OK)) as server:
        upstream = connect(server.port, now=lambda: clock[0], keepalive=4.0)
        await upstream.send(get())
        clock[0] += 4.0
        await eventually(lambda: server.open == 0)
        assert upstream.open_connections == 0


async def test_a_paused_connection_reads_again_for_the_next_request(connect: Connect) -> None:
    body = b"x" * 2_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with serving(answering(answer)) as server:
        upstream = connect(server.port)
        for _ in range(3):
            exchange = await upstream.send(get())
            await asyncio.sleep(0.02)  # let it fill up
            assert await read(exchange) == body
        assert server.connections == 1


async def test_a_closed_client_sends_nothing(connect: Connect) -> None:
    async with serving(answering(OK)) as server:
        upstream = connect(server.port)
        await upstream.send(get())
        await upstream.aclose()
        with pytest.raises(UpstreamUnreachable, match="no longer used"):
            await upstream.send(get())
        assert server.connections == 1
