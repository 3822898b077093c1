"""WebSockets are what they would be without a proxy (failures.md, transparency traps)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.integration.http import ws_wire
from tests.integration.http.rig import LOCAL, end_to_end, recorded, scripted, sidecar
from tests.integration.http.test_disconnects import AT_ONCE
from tests.integration.http.wire import Wire
from tests.integration.http.ws_wire import (
    BINARY,
    CLOSE,
    HANDSHAKE,
    MORE,
    PING,
    PONG,
    TEXT,
    Frame,
    closing,
    encode,
    switching,
)
from tests.integration.upstream.raw_server import Peer, serving, settled
from tests.support.ports import free_port

PATH = b"/threads/t/stream/events"
START = b"GET " + PATH + b" HTTP/1.1\r\n" + HANDSHAKE


@asynccontextmanager
async def opened(path: bytes = PATH) -> AsyncIterator[tuple[Wire, Peer, asyncio.Event]]:
    """Both ends of the line, after a handshake through the sidecar; the event makes the server
    close its connection."""
    ready: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.send(switching(await peer.request()))
        ready.set_result(peer)
        await over.wait()

    async with (
        serving(script) as server,
        sidecar(f"one=http://{LOCAL}:{server.port}") as front,
        front.wire() as wire,
    ):
        await wire.send(b"GET " + path + b" HTTP/1.1\r\n" + HANDSHAKE + b"\r\n")
        line, _ = await wire.head()
        assert line == b"HTTP/1.1 101 Switching Protocols"
        yield wire, await ready, over
        over.set()


async def up(wire: Wire, peer: Peer, frame: Frame) -> None:
    await wire.send(encode(frame, masked=True))
    assert await ws_wire.read(peer.reader) == frame


async def down(wire: Wire, peer: Peer, frame: Frame) -> None:
    await peer.send(encode(frame, masked=False))
    assert await ws_wire.read(wire.reader) == frame


@pytest.mark.parametrize("path", [PATH, b"/to/one" + PATH, b"/custom/%2f?a=%20b&a"])
async def test_frames_of_every_kind_pass_both_ways_as_they_are(path: bytes) -> None:
    frames = [
        Frame(TEXT, "grüße".encode()),
        Frame(TEXT),
        Frame(BINARY, bytes(range(256))),
        Frame(TEXT, b"frag", last=False),
        Frame(PING, b"between"),
        Frame(MORE, b"ment", last=False),
        Frame(MORE, b"s"),
        Frame(PONG, b"unasked"),
        Frame(BINARY, b"x" * 70_000),
        Frame(TEXT, b"\xff not utf-8"),  # for the other side to judge
    ]
    async with opened(path=path) as (wire, peer, _):
        for frame in frames:
            await up(wire, peer, frame)
            await down(wire, peer, frame)


async def test_a_message_may_be_larger_than_any_buffer() -> None:
    frame = Frame(BINARY, bytes(range(251)) * 40_000)
    async with opened() as (wire, peer, _):
        for sender, reader, masked in (
            (wire.send, peer.reader, True),
            (peer.send, wire.reader, False),
        ):
            async with asyncio.TaskGroup() as group:
                group.create_task(sender(encode(frame, masked=masked)))
                assert await ws_wire.read(reader) == frame


@pytest.mark.parametrize("upwards", [True, False], ids=["up", "down"])
async def test_a_side_that_does_not_read_holds_up_the_other_and_not_the_memory(
    upwards: bool,
) -> None:
    sent = 0

    async def flood(send: Callable[[bytes], Awaitable[None]]) -> None:
        nonlocal sent
        while True:
            await send(encode(Frame(BINARY, b"x" * 65_536), masked=upwards))
            sent += 65_536

    async with opened() as (wire, peer, _), asyncio.TaskGroup() as group:
        if not upwards:
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        flooding = group.create_task(flood(wire.send if upwards else peer.send))
        assert 0 < await settled(lambda: sent) < 30_000_000  # what kernels and our buffers hold
        flooding.cancel()


@pytest.mark.parametrize(
    "frame",
    [
        closing(1000),
        closing(1001, "bye"),
        closing(1008, "Unauthorized"),
        closing(1011, "ü" * 61),
        closing(1012),
        closing(4001, "ours"),
        Frame(CLOSE),
    ],
    ids=lambda frame: repr(frame.data[:6]),
)
@pytest.mark.parametrize("by_client", [True, False], ids=["client", "server"])
async def test_a_close_reaches_the_other_side_and_its_echo_comes_back(
    frame: Frame, by_client: bool
) -> None:
    async with opened() as (wire, peer, server_closes):
        if by_client:
            await up(wire, peer, frame)
            await down(wire, peer, closing(4999, "my own words"))
        else:
            await down(wire, peer, frame)
            await up(wire, peer, closing(4999, "my own words"))
        server_closes.set()
        assert await wire.everything() == b""


async def test_a_server_that_vanishes_leaves_no_closing_frame() -> None:
    async with opened() as (wire, peer, _):
        await down(wire, peer, Frame(TEXT, b"half a story"))
        peer.reset()
        assert await wire.everything() == b""


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
async def test_a_client_that_vanishes_is_gone_for_the_server_at_once(reset: bool) -> None:
    async with opened() as (wire, peer, _):
        await up(wire, peer, Frame(TEXT, b"last words"))
        wire.reset() if reset else wire.writer.close()
        async with asyncio.timeout(AT_ONCE):
            assert await peer.gone() == b""


def said(handshake: bytes) -> list[bytes]:
    """The request line and what follows it; the client library may change the case of names."""
    start, *lines = end_to_end(handshake).split(b"\r\n")
    return [start, *sorted(line.lower() for line in lines)]


async def test_a_client_that_leaves_during_the_handshake_is_gone_for_the_server_at_once() -> None:
    asked = asyncio.Event()
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        ended.set_result(await peer.gone())

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(START + b"\r\n")
        await asked.wait()
        wire.reset()
        async with asyncio.timeout(AT_ONCE):
            assert await ended == b""


async def test_what_both_sides_agreed_on_is_what_they_said() -> None:
    offered = (
        b"Sec-WebSocket-Protocol: v2, v1\r\nsec-websocket-protocol: v0\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        b"Origin: http://me\r\nCookie: a=b\r\nX-Api-Key: k\r\n"
    )
    accepted = (b"Sec-WebSocket-Protocol: v1", b"Set-Cookie: s=1", b"Set-Cookie: t=2")
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(switching(seen[-1], *accepted) + encode(Frame(TEXT, b"hi"), masked=False))
        await peer.gone()

    handshake = START.replace(PATH, b"/custom") + offered + b"\r\n"
    async with scripted(script) as front, front.wire() as wire:
        await wire.send(handshake)
        _, fields = await wire.head()
        assert await ws_wire.read(wire.reader) == Frame(TEXT, b"hi")
    assert said(seen[0]) == said(handshake)
    assert sorted(fields) == sorted(
        [
            *[tuple(field.split(b": ")) for field in accepted],
            (b"Sec-WebSocket-Accept", ws_wire.accept()),
            (b"Connection", b"Upgrade"),
            (b"Upgrade", b"websocket"),
        ]
    )


REFUSALS = [
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: x\r\nSet-Cookie: a=b\r\nContent-Length: 4\r\n\r\nwhy?",
    b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwhy?\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Here\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwhy?",
    b"HTTP/1.1 426 Upgrade\r\nSec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 Oh\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nwhy?",
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[9:12].decode())
async def test_a_refused_handshake_is_refused_in_the_servers_words(refusal: bytes) -> None:
    async with recorded(refusal) as (server, front), front.wire() as wire:
        for _ in range(2):  # and HTTP goes on
            got = await wire.ask(START + b"\r\n")
            assert got.line == refusal.split(b"\r\n")[0]
            assert got.body == (b"why?" if b"why?" in refusal else b"")
            for line in refusal.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
                assert tuple(line.split(b": ", 1)) in got.fields
    assert len(server.requests) == 2


async def test_a_refusal_that_breaks_off_is_seen_as_broken() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 403 No\r\nContent-Length: 100000\r\n\r\nwhy")

    async with scripted(script) as front, front.wire() as wire:
        got = await wire.ask(START + b"\r\n")
        assert (got.status, got.complete) == (403, False)


async def test_a_server_that_is_down_is_told_as_such() -> None:
    async with sidecar(f"http://{LOCAL}:{free_port()}") as front, front.wire() as wire:
        got = await wire.ask(START + b"\r\n")
        assert (got.status, b"upstream_unreachable" in got.body) == (502, True)
        assert (await wire.ask(b"GET /sidecar/health HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        START.replace(b"GET", b"POST") + b"Content-Length: 2\r\n\r\nhi",
        START + b"Content-Length: 2\r\n\r\nhi",
        START.replace(b"Upgrade: WebSocket", b"Upgrade: h2c") + b"\r\n",
        START.replace(b", Upgrade", b"") + b"\r\n",
        START.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
    ],
    ids=["post", "with a body", "h2c", "not connected", "http/1.0"],
)
async def test_what_is_no_handshake_stays_a_plain_request(request_: bytes) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        assert (await wire.ask(request_)).body == b"ok"
        assert len(server.requests) == 1
        assert b"upgrade" not in server.last.lower()
        assert server.last.endswith(request_.partition(b"\r\n\r\n")[2])


async def test_frames_sent_before_the_answer_are_not_lost() -> None:
    async def script(peer: Peer) -> None:
        request = await peer.request()
        await peer.send(switching(request))
        assert await ws_wire.read(peer.reader) == Frame(TEXT, b"eager")
        await peer.send(encode(closing(1000), masked=False))

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(START + b"\r\n" + encode(Frame(TEXT, b"eager"), masked=True))
        await wire.head()
        assert await ws_wire.read(wire.reader) == closing(1000)
        assert await wire.everything() == b""


def handshake_of(origin: bytes) -> bytes:
    return START + b"Origin: " + origin + b"\r\n\r\n"


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example",
        b"http://evil.example:8460",  # a name that was made to lead here: DNS rebinding
        b"http://127.0.0.1.evil.example",
        b"http://localhost@evil.example",
        b"null",
        b"",
        b"http://localhost\r\nOrigin: https://evil.example",
    ],
)
async def test_a_page_of_a_stranger_opens_no_socket(origin: bytes) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        got = await wire.ask(handshake_of(origin))
        assert (got.status, server.requests) == (421, [])
        assert b"allowed_origins" in got.body


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (b"http://localhost:3000", []),
        (b"http://127.0.0.1", []),
        (b"http://[::1]:5173", []),
        (b"http://studio", []),
        (b"https://App.example", ["https://app.example"]),
        (b"https://any.example", ["*"]),
        (b"null", ["*"]),
    ],
)
async def test_pages_of_this_machine_and_those_that_were_named_do(
    origin: bytes, allowed: list[str]
) -> None:
    refusal = REFUSALS[0]
    async with recorded(refusal, allowed_origins=allowed) as (server, front), front.wire() as wire:
        assert (await wire.ask(handshake_of(origin))).status == 401  # which the server said
        assert b"origin: " + origin + b"\r\n" in server.last
