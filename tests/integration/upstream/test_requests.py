"""What a server gets to read."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.integration.upstream.raw_server import (
    OK,
    Connect,
    Peer,
    get,
    post,
    read,
    serving,
    settled,
)

from subagent_sidecar.errors import UpstreamBroken, UpstreamTimeout
from subagent_sidecar.ports import Outgoing


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def seen_by_server(connect: Connect, request: Outgoing) -> bytes:
    seen = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.answer())

    async with serving(script) as server:
        await read(await connect(server.port).send(request))
    return seen[0]


async def test_a_request_without_a_body_gets_no_framing(connect: Connect) -> None:
    raw = await seen_by_server(connect, get(b"/a%2fb//..;/?q=%20"))
    assert raw == b"GET /a%2fb//..;/?q=%20 HTTP/1.1\r\nHost: agents\r\n\r\n"


async def test_fields_keep_their_case_order_and_duplicates(connect: Connect) -> None:
    headers = [(b"hOST", b"a"), (b"X-B", b"2"), (b"x-a", b"\xff"), (b"X-B", b"1"), (b"E", b"")]
    raw = await seen_by_server(connect, get(headers=headers))
    assert raw == b"GET / HTTP/1.1\r\nhOST: a\r\nX-B: 2\r\nx-a: \xff\r\nX-B: 1\r\nE: \r\n\r\n"


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 3_000_000], ids=len)
async def test_bytes_are_sent_with_their_length(connect: Connect, body: bytes) -> None:
    raw = await seen_by_server(connect, post(body))
    head = b"POST /runs HTTP/1.1\r\nHost: agents\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert raw == head + body


async def test_head_and_body_arrive_in_one_piece(connect: Connect) -> None:
    first = []

    async def script(peer: Peer) -> None:
        first.append(await peer.reader.read(65536))
        await peer.send(OK)

    async with serving(script) as server:
        await connect(server.port).send(post(b"x" * 1000))
    assert first[0].endswith(b"\r\n\r\n" + b"x" * 1000)


async def test_a_stream_of_unknown_length_is_sent_chunked(connect: Connect) -> None:
    raw = await seen_by_server(connect, post(pieces(b"abc", b"", b"0123456789abcdef")))
    assert raw.endswith(
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    )


async def test_a_stream_of_known_length_is_sent_as_it_is(connect: Connect) -> None:
    raw = await seen_by_server(connect, post(pieces(b"abc", b"", b"de"), length=5))
    assert raw.endswith(b"Content-Length: 5\r\n\r\nabcde")


async def test_a_long_stream_arrives_whole_at_the_pace_of_the_server(connect: Connect) -> None:
    parts = [b"%d" % n * 20_000 for n in range(100)]
    raw = await seen_by_server(connect, post(pieces(*parts), length=sum(map(len, parts))))
    assert raw.partition(b"\r\n\r\n")[2] == b"".join(parts)


async def test_a_connection_is_kept_after_a_streamed_request(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.answer()

    async with serving(script) as server:
        upstream = connect(server.port)
        for _ in range(3):
            await upstream.send(post(pieces(b"abc")))
        assert server.connections == 1


@pytest.mark.parametrize("length", [4, 6])
async def test_a_stream_that_breaks_its_word_never_looks_complete(
    connect: Connect, length: int
) -> None:
    seen = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.gone())

    async with serving(script) as server:
        upstream = connect(server.port)
        with pytest.raises(ValueError, match="declared length"):
            await upstream.send(post(pieces(b"abc", b"de"), length=length))
        await asyncio.gather(*server.scripts)
    assert len(seen[0].partition(b"\r\n\r\n")[2]) < length


async def test_what_the_sender_raises_is_raised_and_the_server_sees_it_leave(
    connect: Connect,
) -> None:
    class ClientLeft(Exception):
        pass

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ClientLeft

    async def script(peer: Peer) -> None:
        assert not (await peer.gone()).endswith(b"0\r\n\r\n")

    async with serving(script) as server:
        with pytest.raises(ClientLeft):
            await connect(server.port).send(post(body()))
        await asyncio.gather(*server.scripts)


async def test_a_sender_that_is_cancelled_from_within_ends_the_exchange(connect: Connect) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        raise asyncio.CancelledError

    async def script(peer: Peer) -> None:
        await peer.gone()

    async with serving(script) as server:
        with pytest.raises(UpstreamBroken):
            await connect(server.port).send(post(body()))


class Endless:
    """A body without an end; `sent` counts its bytes, `stopped` says that nobody reads it."""

    def __init__(self) -> None:
        self.sent = 0
        self.stopped = asyncio.Event()

    async def body(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
                self.sent += 65536
                await asyncio.sleep(0)
        finally:
            self.stopped.set()


async def test_a_whole_refusal_ends_the_sending_and_the_connection(connect: Connect) -> None:
    endless = Endless()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(post(endless.body()))
        assert (exchange.status, exchange.body) == (413, b"big")
        await asyncio.gather(*server.scripts)
        assert upstream.open_connections == 0


async def test_the_head_of_a_refusal_ends_the_sending_already(connect: Connect) -> None:
    endless = Endless()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n")
        await endless.stopped.wait()
        await peer.send(b"3\r\nbig\r\n0\r\n\r\n")
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(post(endless.body()))
        assert (exchange.status, await read(exchange)) == (413, b"big")
        await asyncio.gather(*server.scripts)
        assert upstream.open_connections == 0


async def test_a_server_may_talk_while_it_listens(connect: Connect) -> None:
    """An early 200 is no reason to cut the request off."""
    heard = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"ping"
        await heard.wait()
        yield b"pong"

    async def script(peer: Peer) -> None:
        while True:
            await peer.reader.readuntil(b"ping\r\n")
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
            await peer.reader.readuntil(b"pong\r\n0\r\n\r\n")
            await peer.send(b"0\r\n\r\n")

    async with serving(script) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(post(body()))
        stream = aiter(exchange.chunks())
        assert await anext(stream) == b"hi"
        heard.set()
        assert [piece async for piece in stream] == []
        assert upstream.idle_connections == 1


async def test_an_answer_that_ends_before_the_request_costs_the_connection(
    connect: Connect,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(OK)
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(post(Endless().body()))
        assert exchange.body == b"ok"
        assert upstream.idle_connections == 0
        await asyncio.gather(*server.scripts)


async def test_a_server_that_does_not_read_is_not_fed_without_end(connect: Connect) -> None:
    """Row 2: and it is as late as one that does not answer."""
    clock = [0.0]
    endless = Endless()
    stuck = asyncio.Event()

    async def script(peer: Peer) -> None:
        await stuck.wait()

    async with serving(script) as server:
        upstream = connect(server.port, now=lambda: clock[0])
        request = post(endless.body(), first_byte_timeout=30.0)
        sending = asyncio.ensure_future(upstream.send(request))
        assert await settled(lambda: endless.sent) < 64 * 1024 * 1024
        clock[0] += 31
        with pytest.raises(UpstreamTimeout) as raised:
            await sending
        assert raised.value.phase == "first byte"
        stuck.set()
