"""Row 4 of the failure modes, for the client alone: an answer is complete or it is broken."""

import asyncio

import pytest
from tests.integration.upstream.raw_server import Connect, Peer, get, post, read, serving
from tests.support.waiting import eventually

from subagent_sidecar.errors import UpstreamBroken
from subagent_sidecar.upstream import HttpUpstream

LENGTH = b"HTTP/1.1 200 OK\r\nX-Run: 1\r\nContent-Length: 30\r\n\r\n" + b"0123456789" * 3
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"a;x=y\r\n0123456789\r\n14\r\n01234567890123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
)
BODY = b"0123456789" * 3


async def outcome(upstream: HttpUpstream) -> bytes | UpstreamBroken:
    """The complete body, or the error; what came before the error must be right all the same."""
    got = b""
    try:
        exchange = await upstream.send(post())
        async for piece in exchange.chunks():
            got += piece
    except UpstreamBroken as error:
        assert BODY.startswith(got)
        return error
    return got


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED], ids=["length", "chunked"])
async def test_an_answer_cut_off_at_any_byte_is_never_taken_for_complete(
    connect: Connect, answer: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer[: peer.number - 1])

    async with serving(script) as server:
        upstream = connect(server.port)
        for _ in range(len(answer)):
            assert isinstance(await outcome(upstream), UpstreamBroken)
        assert await outcome(upstream) == BODY
        assert server.connections == len(answer) + 1  # and no POST was sent twice


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED], ids=["length", "chunked"])
async def test_an_answer_reset_at_any_byte_is_broken_or_complete(
    connect: Connect, answer: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer[: peer.number - 1])
        peer.reset()

    async with serving(script) as server:
        upstream = connect(server.port)
        for _ in range(len(answer)):
            assert isinstance(await outcome(upstream), UpstreamBroken)
        # A reset may overtake what was sent before it.
        assert isinstance(last := await outcome(upstream), UpstreamBroken) or last == BODY
        assert server.connections == len(answer) + 1


async def test_a_body_that_ends_with_the_connection_is_not_ended_by_a_reset(
    connect: Connect,
) -> None:
    got_it = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\n\r\nbody")
        await got_it.wait()
        peer.reset()

    async with serving(script) as server:
        exchange = await connect(server.port).send(get())
        stream = aiter(exchange.chunks())
        assert await anext(stream) == b"body"
        got_it.set()
        with pytest.raises(UpstreamBroken):
            await anext(stream)


async def test_a_request_reset_at_any_byte_is_broken_and_not_sent_again(connect: Connect) -> None:
    request = post(b"x" * 100)

    async def script(peer: Peer) -> None:
        await peer.reader.readexactly(peer.number)
        peer.reset()

    async with serving(script) as server:
        upstream = connect(server.port)
        for sent in range(1, 150):
            with pytest.raises(UpstreamBroken):
                await upstream.send(request)
            assert server.connections == sent


@pytest.mark.parametrize(
    "answer",
    [
        b"canary",
        b"HTTP/2.0 canary\r\n\r\n",
        b"SSH-2.0-canary\r\n",
        b"HTTP/1.1 200 OK\r\ncanary\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncanary : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Key: canary\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\ncanary",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\ncanary",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokcanary\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\ncanary",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n6\r\ncanary\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\ncanary",
        b"HTTP/1.1 101 canary\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 042 canary\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 110 Odd\r\nContent-Length: 6\r\n\r\ncanary",
    ],
)
async def test_nonsense_is_broken_and_not_quoted(connect: Connect, answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(answer)
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        with pytest.raises(UpstreamBroken) as raised:
            await read(await upstream.send(get()))
        await asyncio.gather(*server.scripts)  # it was hung up on, without a word from us
    assert "canary" not in repr(raised.value)  # row 24
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert raised.value.message.startswith(f"upstream http://127.0.0.1:{server.port} sent")


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Long: %s\r\n" % (b"x" * 1000)),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 1000),
        (b"HTTP/1.1 200 ", b"x" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X: %s\r\n" % (b"x" * 999),
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000),
    ],
    ids=["fields", "one field", "reason", "interim answers", "trailers", "chunk extension"],
)
async def test_a_head_without_end_is_cut_short(connect: Connect, start: bytes, more: bytes) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.answer(start)
        while True:
            await peer.send(more)
            sent += len(more)
            await asyncio.sleep(0)

    async with serving(script) as server:
        with pytest.raises(UpstreamBroken):
            await read(await connect(server.port).send(get()))
        await asyncio.gather(*server.scripts)
    assert sent > 32 * 1024


async def test_a_huge_head_is_refused_even_when_it_comes_in_one_piece(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        field = b"X: " + b"x" * 100_000
        await peer.answer(b"HTTP/1.1 200 OK\r\n" + field + b"\r\nContent-Length: 0\r\n\r\n")

    async with serving(script) as server:
        with pytest.raises(UpstreamBroken):
            await connect(server.port).send(get())


async def test_a_head_of_60_kib_passes_and_a_body_of_any_size_after_it(connect: Connect) -> None:
    size = 1_000_000

    async def script(peer: Peer) -> None:
        fields = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(60))
        head = b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: %d\r\n\r\n" % size
        await peer.answer(head + b"x" * size)
        await peer.gone()

    async with serving(script) as server:
        exchange = await connect(server.port).send(get())
        assert (len(exchange.headers), len(await read(exchange))) == (61, size)


@pytest.mark.parametrize(
    "excess", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"H", b"\x00", b"evil"]
)
async def test_more_than_one_answer_costs_the_connection_and_poisons_nobody(
    connect: Connect, excess: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 4\r\n\r\ngood" + excess)
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        for sent in range(1, 4):
            exchange = await upstream.send(get())
            assert (exchange.body, exchange.reason, len(exchange.headers)) == (b"good", b"OK", 2)
            assert server.connections == sent
        await eventually(lambda: upstream.open_connections == 0)


async def test_a_body_after_an_answer_to_head_costs_the_connection(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        assert (await upstream.send(get(method=b"HEAD"))).body == b""
        await eventually(lambda: upstream.open_connections == 0)
