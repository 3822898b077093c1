"""Trailers, which aiohttp's parser would give to the next request."""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.waiting import eventually

from subagent_sidecar.proxy.trailers import Untrailed

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = HEAD + b"5\r\nhello\r\n0\r\n\r\n"
EMPTY = HEAD + b"0\r\n\r\n"
TRAILED = HEAD + b"5\r\nhello\r\n0\r\nX-First: 1\r\nX-Api-Key: k\r\n\r\n"
DECEITFUL = HEAD + b"8\r\nx\r\n0\r\n\r\n\r\n0\r\nX-Api-Key: 0\r\n\r\n"
UPGRADE = PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 1)
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
HEADS_END = [b"a\r\n\r\n", b"chunked\r\n\r\n", b"websocket\r\n\r\n"]


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def fields_of(*feeds: Sequence[bytes]) -> tuple[list[list[bytes]], bool]:
    """The names of the fields of each request, and whether the connection was closed. What is in
    one feed comes without waiting for an answer between."""
    asked: list[list[bytes]] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        asked.append([name for name, _ in request.raw_headers])
        return web.Response()

    def came(wanted: int) -> bool:
        return transport.closed or len(asked) == wanted

    protocol = Untrailed(web.Server(serve), loop=asyncio.get_running_loop())
    transport = Transport()
    protocol.connection_made(transport)
    for number, pieces in enumerate(feeds, 1):
        for piece in pieces:
            protocol.data_received(piece)
        sent = b"".join(map(b"".join, feeds[:number]))
        wanted = sum(sent.count(end) for end in HEADS_END)
        await eventually(partial(came, wanted))
    closed = transport.closed
    protocol.connection_lost(None)
    return asked, closed


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


FEEDS = st.lists(st.integers(0, 200), max_size=4)
"""Where a request is cut."""
AHEAD = st.integers(0, len(NEXT) - 1)
"""How much of the next one comes with its last piece."""


@pytest.mark.parametrize("sent", [TRAILED, DECEITFUL], ids=["usual", "deceitful"])
@settings(max_examples=30)
@given(places=FEEDS, ahead=AHEAD)
@example(places=list(range(200)), ahead=0)
@example(places=[], ahead=0)
@example(places=[], ahead=len(NEXT) - 1)
def test_a_request_with_trailers_is_the_last_on_its_connection(
    sent: bytes, places: list[int], ahead: int
) -> None:
    pieces = cut(sent, places)
    pieces[-1] += NEXT[:ahead]
    asked, closed = asyncio.run(fields_of(pieces, [NEXT[ahead:]]))
    assert asked == [[b"Host", b"Transfer-Encoding"]]
    assert closed


@pytest.mark.parametrize("sent", [PLAIN, EMPTY], ids=["usual", "empty"])
@settings(max_examples=30)
@given(places=FEEDS, ahead=AHEAD)
@example(places=list(range(200)), ahead=0)
@example(places=[], ahead=len(NEXT) - 1)
def test_one_without_is_not(sent: bytes, places: list[int], ahead: int) -> None:
    pieces = cut(sent, places)
    pieces[-1] += NEXT[:ahead]
    asked, closed = asyncio.run(fields_of(pieces, [NEXT[ahead:]], [sent + NEXT]))
    assert asked[:2] == [[b"Host", b"Transfer-Encoding"], [b"Host"]]
    assert asked[2:] == asked[:2]
    assert not closed


async def test_nor_is_one_that_asks_for_another_protocol() -> None:
    asked, closed = await fields_of([UPGRADE + NEXT])
    assert (len(asked), closed) == (2, False)
