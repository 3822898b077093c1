"""Connections that begin with plain requests and become aiohttp's: nothing of what was sent is
lost, served twice or answered in another order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from tests.integration.http.wire import Wire
from tests.support.waiting import eventually

from subagent_sidecar.proxy import answering
from subagent_sidecar.proxy.incoming import Limits, read
from subagent_sidecar.proxy.plain import LARGEST_BODY, PlainProtocol
from subagent_sidecar.proxy.request import DataRequest
from subagent_sidecar.proxy.server import DataServer

LIMITS = Limits(
    start_timeout_s=30.0,
    answer_timeout_s=30.0,
    body_timeout_s=30.0,
    max_body=1_000_000,
    inspect_limit=1_000_000,
)
HOST = b" HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST /chunked" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
PLAIN, AIOHTTP = "plain", "aiohttp"


def get(path: bytes) -> bytes:
    return b"GET " + path + HOST + b"\r\n"


def post(path: bytes, body: bytes) -> bytes:
    return b"POST " + path + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body


@dataclass
class Place:
    """Answers what it was asked for, once `go_on` is set."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    ways: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.server = DataServer(self.serve, header_timeout_s=30.0, max_connections=100)

    async def serve(self, request: DataRequest) -> web.StreamResponse:
        plain = isinstance(request.connection, PlainProtocol)
        self.ways.append((PLAIN if plain else AIOHTTP, request.raw_target))
        incoming = await read(request, LIMITS, understand=True)
        await self.go_on.wait()
        body = request.raw_target.encode() + b" " + (incoming.whole or b"")
        return answering.send(request, 200, [], body)


@asynccontextmanager
async def serving(*, at_once: bool = True) -> AsyncIterator[Place]:
    place = Place()
    if at_once:
        place.go_on.set()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(place.server, "127.0.0.1", 0)
    place.port = listener.sockets[0].getsockname()[1]
    place.server.start_sweeping()
    try:
        yield place
    finally:
        listener.close()
        place.server.stop_sweeping()
        place.server.pre_shutdown()
        await place.server.shutdown(0.1)


# Row 21
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "at once"])
async def test_the_first_request_that_is_not_plain_takes_the_connection_with_it(
    together: bool,
) -> None:
    sent = [get(b"/1"), post(b"/2", b"two"), CHUNKED, post(b"/4", b"four"), get(b"/5")]
    async with serving() as place, Wire(place.port) as wire:
        if together:
            await wire.send(b"".join(sent))
            answers = [await wire.answer() for _ in sent]
        else:
            answers = [await wire.ask(each) for each in sent]
    said = [b"/1 ", b"/2 two", b"/chunked hello", b"/4 four", b"/5 "]
    assert [answer.body for answer in answers] == said
    plain = 1 if together else 2
    assert [way for way, _ in place.ways] == [PLAIN] * plain + [AIOHTTP] * (5 - plain)


async def test_what_comes_while_an_answer_is_awaited_is_answered_behind_it() -> None:
    async with serving(at_once=False) as place, Wire(place.port) as wire:
        await wire.send(get(b"/1"))
        await eventually(lambda: place.ways)
        for piece in (b"GET /2 HT", b"TP/1.1\r\nHost: a\r\n", b"\r\nGE"):
            await wire.send(piece)
        place.go_on.set()
        assert [(await wire.answer()).body for _ in range(2)] == [b"/1 ", b"/2 "]
        await wire.send(b"T nonsense\r\n\r\n")
        assert (await wire.answer()).status == 400
        assert await wire.everything() == b""


async def test_a_head_in_two_pieces_and_a_long_body_are_aiohttps() -> None:
    long = b"x" * (LARGEST_BODY + 1)
    async with serving() as place, Wire(place.port) as wire, wire.elsewhere() as other:
        await wire.ask(get(b"/1"))
        await wire.send(get(b"/2")[:9])
        members = place.server.crowd.members
        await eventually(lambda: not all(isinstance(each, PlainProtocol) for each in members))
        await wire.send(get(b"/2")[9:])
        assert (await wire.answer()).body == b"/2 "
        assert (await other.ask(post(b"/3", long))).body == b"/3 " + long
    assert sorted(place.ways) == [(AIOHTTP, "/2"), (AIOHTTP, "/3"), (PLAIN, "/1")]


# Row 18: it is told the same as before: see test_slow_clients.
async def test_a_body_that_stops_coming_is_handed_over_and_may_go_on() -> None:
    whole = post(b"/1", b"hello")
    async with serving() as place, Wire(place.port) as wire:
        await wire.send(whole[:-3])
        await eventually(lambda: place.ways == [(AIOHTTP, "/1")])
        await wire.send(whole[-3:])
        assert (await wire.answer()).body == b"/1 hello"


async def test_a_client_that_leaves_in_the_middle_of_a_body_leaves_nothing() -> None:
    async with serving() as place, Wire(place.port) as wire:
        await wire.send(post(b"/1", b"hello")[:-3])
        await eventually(lambda: len(place.server.crowd.members) == 1)
        wire.reset()
        await eventually(lambda: place.server.crowd.members == set())
    assert [way for way, _ in place.ways if way == PLAIN] == []


# Row 27
async def test_a_stop_finishes_what_is_in_progress_and_ends_what_is_idle() -> None:
    async with serving(at_once=False) as place, Wire(place.port) as busy, Wire(place.port) as idle:
        await busy.send(get(b"/1") + get(b"/2"))
        await eventually(lambda: len(place.ways) == 1)
        await eventually(lambda: len(place.server.crowd.members) == 2)
        place.server.pre_shutdown()
        stopping = asyncio.ensure_future(place.server.shutdown(30.0))
        assert await idle.everything() == b""
        place.go_on.set()
        answer = await busy.answer()
        assert (answer.body, answer.get(b"connection")) == (b"/1 ", b"close")
        assert await busy.everything() == b""
        await stopping
    assert len(place.ways) == 1


async def test_a_stop_cuts_what_does_not_come_to_an_end() -> None:
    async with serving(at_once=False) as place, Wire(place.port) as wire:
        await wire.send(get(b"/1"))
        await eventually(lambda: place.ways)
        place.server.pre_shutdown()
        await place.server.shutdown(0.1)
        assert await wire.everything() == b""
        await eventually(lambda: place.server.crowd.members == set())


async def test_what_was_handed_over_is_still_one_connection_until_it_is_gone() -> None:
    async with serving() as place, Wire(place.port) as wire:
        await wire.ask(CHUNKED)
        (member,) = place.server.crowd.members
        assert not isinstance(member, PlainProtocol)
        wire.reset()
        await eventually(lambda: place.server.crowd.members == set())


async def test_what_is_handed_over_while_stopping_is_answered_for_the_last_time() -> None:
    async with serving() as place, Wire(place.port) as wire:
        await wire.ask(get(b"/1"))
        place.server.pre_shutdown()
        answer = await wire.ask(CHUNKED)
        assert (answer.body, answer.get(b"connection")) == (b"/chunked hello", b"close")
        assert await wire.everything() == b""
