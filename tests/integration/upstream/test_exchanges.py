"""Answers in every framing there is, whole and in pieces."""

import asyncio
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.upstream.raw_server import (
    Connect,
    Peer,
    answering,
    end,
    get,
    new_client,
    read,
    serving,
    settled,
)

from subagent_sidecar.upstream.answers import StreamedAnswer, WholeAnswer

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_an_answer_that_is_all_there_is_whole_and_its_connection_free(
    connect: Connect,
) -> None:
    answer = b"HTTP/1.1 201 All Right\r\nX-b: 2\r\nx-A: 1\r\nX-b: \r\nContent-Length: 2\r\n\r\nhi"
    async with serving(answering(answer)) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(get())
        assert (upstream.open_connections, upstream.idle_connections) == (1, 1)
    assert (exchange.status, exchange.reason, exchange.body) == (201, b"All Right", b"hi")
    fields = [(b"X-b", b"2"), (b"x-A", b"1"), (b"X-b", b""), (b"Content-Length", b"2")]
    assert exchange.headers == fields
    assert await read(exchange) == b"hi"


async def test_a_short_body_on_the_heels_of_its_head_is_whole_too(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        await asyncio.sleep(0)
        await peer.send(b"bo")
        await asyncio.sleep(0)
        await peer.send(b"dy")
        await peer.gone()

    async with serving(script) as server:
        assert (await connect(server.port).send(get())).body == b"body"


@pytest.mark.parametrize(
    ("head", "first", "last"),
    [
        (CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"one", b"two"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"one", b"two"),
    ],
    ids=["chunked", "length", "until close"],
)
async def test_pieces_are_handed_on_as_they_come(
    connect: Connect, head: bytes, first: bytes, last: bytes
) -> None:
    got_head, got_first = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(head)
        await got_head.wait()
        await peer.send(first)
        await got_first.wait()
        await peer.send(last)

    async with serving(script) as server:
        exchange = await connect(server.port).send(get())
        assert exchange.body is None
        got_head.set()
        stream = aiter(exchange.chunks())
        assert await anext(stream) == b"one"
        got_first.set()
        assert [piece async for piece in stream] == [b"two"]


async def test_a_connection_is_free_again_when_the_stream_has_ended(connect: Connect) -> None:
    async with serving(answering(CHUNKED + b"2\r\nhi\r\n0\r\n\r\n")) as server:
        upstream = connect(server.port)
        for _ in range(3):
            await read(await upstream.send(get()))
            assert upstream.idle_connections == 1
        assert server.connections == 1


async def test_a_body_stays_as_the_server_packed_it(connect: Connect) -> None:
    packed = gzip.compress(b"x" * 1000)  # row 17: never unpacked here
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with serving(answering(head + packed)) as server:
        assert await read(await connect(server.port).send(get())) == packed


@pytest.mark.parametrize("pause", [False, True], ids=["whole", "streamed"])
async def test_trailers_are_kept_when_the_body_has_ended(connect: Connect, pause: bool) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"2\r\nhi\r\n" * pause)
        if pause:
            await go_on.wait()
        await peer.send(b"0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n")
        await peer.gone()

    async with serving(script) as server:
        exchange = await connect(server.port).send(get())
        go_on.set()
        await read(exchange)
    assert isinstance(exchange, WholeAnswer | StreamedAnswer)
    assert exchange.trailers == [(b"X-Sum", b"1"), (b"x-sum", b"2")]
    assert exchange.headers == [(b"Transfer-Encoding", b"chunked")]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (b"HEAD", CHUNKED),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_answers_that_have_no_body_leave_a_usable_connection(
    connect: Connect, method: bytes, answer: bytes
) -> None:
    async with serving(answering(answer)) as server:
        upstream = connect(server.port)
        for _ in range(3):
            exchange = await upstream.send(get(method=method))
            assert exchange.body == b""
        assert server.connections == 1


async def test_a_head_request_does_not_confuse_the_get_after_it(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        assert (await upstream.send(get(method=b"HEAD"))).body == b""
        assert (await upstream.send(get())).body == b"hello"


async def test_interim_answers_are_swallowed(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 P\r\n\r\nHT")
        await peer.send(b"TP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok")
        await peer.gone()

    async with serving(script) as server:
        exchange = await connect(server.port).send(get())
    assert (exchange.status, exchange.reason, exchange.body) == (200, b"Fine", b"ok")
    assert exchange.headers == [(b"Content-Length", b"2")]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody",
    ],
)
async def test_a_server_may_close_after_its_answer(connect: Connect, answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(answer)

    async with serving(script) as server:
        upstream = connect(server.port)
        for _ in range(2):
            assert await read(await upstream.send(get())) == b"body"
            assert upstream.idle_connections == 0
        assert server.connections == 2


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 120), max_size=8))
async def test_where_an_answer_is_cut_into_segments_does_not_matter(cuts: list[int]) -> None:
    """The reader alone is put to harder tests in tests/unit/upstream/test_reading.py."""
    answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer += b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n"

    async def script(peer: Peer) -> None:
        await peer.request()
        cuts.sort()
        for begin, stop in zip([0, *cuts], [*cuts, len(answer)], strict=True):
            await peer.send(answer[begin:stop])
            await asyncio.sleep(0)
        await peer.gone()

    async with serving(script) as server:
        upstream = new_client(server.port)
        exchange = await upstream.send(get())
        assert exchange.status == 200
        assert exchange.headers == [(b"X-A", b"1"), (b"Transfer-Encoding", b"chunked")]
        assert await read(exchange) == b"hello world"
        assert upstream.idle_connections == 1
        await end(upstream)


async def test_a_slow_reader_slows_the_server_down(connect: Connect) -> None:
    """Row 16: what nobody reads yet stays with the server, not in our memory."""
    total = 64 * 1024 * 1024
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            await peer.send(b"x" * 65536)
            sent += 65536
        await peer.answer()

    async with serving(script) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(get())
        assert await settled(lambda: sent) < total / 2
        got = 0
        async for piece in exchange.chunks():
            assert len(piece) <= 1024 * 1024
            got += len(piece)
        assert got == total
        assert (await upstream.send(get())).status == 200
