"""Bodies that are still coming, in both directions (failures.md, transparency traps)."""

import asyncio

import pytest
from tests.integration.http.rig import recorded, scripted
from tests.integration.upstream.raw_server import OK, Peer, settled
from tests.support.waiting import PATIENCE_S

HOST = b"Host: a\r\n"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = SSE + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = [
    b": comment\n\n",
    b"id: 1\nevent: values\ndata: {}\n\n",
    b"\r\n",
    b":\n\n",
    b"id: 2\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\n",
    b"data: half an ev",
    b"ent\n\n",
    b": heartbeat\r\n\r\n",
    b"event: end\ndata: null\n\n",
]
STREAMS = [
    b"GET /threads/t/stream",
    b"GET /threads/t/runs/r/stream",
    b"GET /threads/t/runs/r/join",
    b"POST /threads/t/runs/stream",
    b"POST /runs/stream",
    b"POST /threads/t/runs/wait",
    b"GET /custom/events",
    b"GET /threads/t/runs/r",
]


def request(start: bytes) -> bytes:
    size = b"Content-Length: 2\r\n\r\n{}" if start.startswith(b"POST") else b"\r\n"
    return start + b" HTTP/1.1\r\n" + HOST + b"Last-Event-ID: 16\r\n" + size


@pytest.mark.parametrize("start", STREAMS)
async def test_events_arrive_one_by_one_as_they_are(start: bytes) -> None:
    arrived: asyncio.Queue[None] = asyncio.Queue()

    async def script(peer: Peer) -> None:
        asked = await peer.request()
        if peer.number > 1:
            return  # the sidecar itself, which wants to know how the run ended
        assert b"Last-Event-ID: 16\r\n" in asked
        await peer.send(CHUNKED)
        for event in EVENTS:
            await peer.send(b"%x\r\n%b\r\n" % (len(event), event))
            await arrived.get()  # nothing is held back until there is more
        await peer.send(b"0\r\n\r\n")

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(request(start))
        line, fields = await wire.head()
        assert (line, dict(fields)[b"Content-Type"]) == (b"HTTP/1.1 200 OK", b"text/event-stream")
        for event in EVENTS:
            assert await wire.chunk() == event
            arrived.put_nowait(None)
        assert await wire.chunk() == b""


async def test_half_a_byte_is_not_awaited_to_pass_on_the_head() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(CHUNKED)
        await peer.gone()

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(request(STREAMS[0]))
        assert (await wire.head())[0] == b"HTTP/1.1 200 OK"


async def test_a_stream_may_be_silent_longer_than_any_timeout() -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(CHUNKED)
        await go_on.wait()
        await peer.send(b"2\r\nhi\r\n0\r\n\r\n")

    names = ["header_timeout", "start_timeout", "answer_timeout", "body_timeout"]
    async with scripted(script, **dict.fromkeys(names, "1s")) as front, front.wire() as wire:
        await wire.send(request(b"POST /threads/t/runs/stream"))
        await wire.head()
        await asyncio.sleep(2.5)  # past every timeout and the sweep after it
        go_on.set()
        assert await wire.chunk() == b"hi"


async def test_an_http_1_0_client_gets_a_stream_without_chunks_that_ends_with_its_connection() -> (
    None
):
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"2\r\nhi\r\n")
        await go_on.wait()
        await peer.send(b"3\r\nyou\r\n0\r\n\r\n")

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        _, fields = await wire.head()
        assert fields == [(b"Content-Type", b"text/event-stream"), (b"Connection", b"close")]
        go_on.set()
        assert await wire.everything() == b"hiyou"


@pytest.mark.parametrize("keep", [False, True])
async def test_an_http_1_0_client_keeps_its_connection_if_it_asks_to(keep: bool) -> None:
    async with recorded() as (_, front), front.wire() as wire:
        field = b"Connection: Keep-Alive\r\n" * keep
        got = await wire.ask(b"GET /x HTTP/1.0\r\n" + field + b"\r\n")
        assert got.get(b"connection") == (b"keep-alive" if keep else b"close")
        if keep:
            assert (await wire.ask(b"GET /x HTTP/1.0\r\n\r\n")).body == b"ok"
        assert await wire.everything() == b""


async def test_a_client_that_wants_to_close_is_let_go() -> None:
    async with recorded() as (_, front), front.wire() as wire:
        got = await wire.ask(b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        assert (got.body, got.get(b"connection")) == (b"ok", b"close")
        assert await wire.everything() == b""


@pytest.mark.parametrize(
    ("framing", "pieces"),
    [
        (b"Content-Length: 6\r\n", [b"one", b"two"]),
        (b"Transfer-Encoding: chunked\r\n", [b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]),
    ],
)
async def test_a_body_goes_up_while_the_client_is_still_sending(
    framing: bytes, pieces: list[bytes]
) -> None:
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert framing in head
        for piece in pieces:
            assert await peer.reader.readexactly(len(piece)) == piece
            seen.set()
        await peer.send(OK)

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(b"POST /x HTTP/1.1\r\n" + HOST + framing + b"\r\n")
        for piece in pieces:
            await wire.send(piece)
            async with asyncio.timeout(PATIENCE_S):
                await seen.wait()
            seen.clear()
        assert (await wire.answer()).body == b"ok"


@pytest.mark.parametrize("path", [b"/x", b"/threads/t/runs"])
async def test_a_client_that_waits_for_leave_to_send_gets_it(path: bytes) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Expect: 100-Continue\r\n"
        await wire.send(head + b"Content-Length: 2\r\n\r\n")
        assert (await wire.head())[0] == b"HTTP/1.1 100 Continue"
        assert (await wire.ask(b"{}")).body == b"ok"
        assert b"xpect" not in server.last


async def test_a_client_is_not_told_to_go_ahead_with_a_body_that_is_too_large() -> None:
    async with recorded(max_body="10B") as (server, front), front.wire() as wire:
        expect = b"Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"
        await wire.send(b"POST /x HTTP/1.1\r\n" + HOST + expect)
        assert (await wire.answer()).status == 413
        assert not server.requests


@pytest.mark.parametrize("status", [b"413 Too Large", b"200 OK"])
async def test_an_early_answer_reaches_a_client_that_is_still_sending(status: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nearly")
        await peer.gone()

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\nx")
        got = await wire.answer()
        assert (got.line, got.body) == (b"HTTP/1.1 " + status, b"early")
        await wire.send(b"x" * 999_999)  # the rest goes nowhere, and its connection stays in step
        await wire.send(b"POST /y HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\ny")
        assert (await wire.answer()).body == b"early"


async def test_both_bodies_may_flow_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(CHUNKED)
        while (line := await peer.reader.readuntil(b"\r\n")) != b"0\r\n":
            piece = await peer.reader.readexactly(int(line, 16) + 2)
            await peer.send(line + piece)
        await peer.send(b"0\r\n\r\n")

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        for word in (b"one", b"two", b"three"):
            await wire.send(b"%x\r\n%b\r\n" % (len(word), word))
            if word == b"one":
                await wire.head()
            assert await wire.chunk() == word
        await wire.send(b"0\r\n\r\n")
        assert await wire.chunk() == b""


async def test_a_client_that_asks_and_does_not_read_is_not_answered_for_ever() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 10_000
    async with recorded(answer) as (server, front), front.wire() as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wire.writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 5000)
        answered = await settled(lambda: len(server.requests))
        assert 0 < answered < 3000  # 30 MB: what kernels and our few buffers hold
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(5000):
            assert (await wire.answer()).complete


async def test_a_slow_reader_holds_up_the_server_and_not_the_memory() -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.answer(CHUNKED)
        piece = b"%x\r\n%b\r\n" % (65_536, b"x" * 65_536)
        while True:
            await peer.send(piece)
            sent += 65_536

    async with scripted(script) as front, front.wire() as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(request(STREAMS[0]))
        assert 0 < await settled(lambda: sent) < 30_000_000  # what kernels and our buffers hold
