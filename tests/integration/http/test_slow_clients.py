"""Clients that dawdle, on purpose or not, hold up nobody but themselves (row 18)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from tests.integration.http.rig import Front, recorded
from tests.integration.http.wire import Wire
from tests.support.waiting import eventually_got

SHORT = {"header_timeout": "300ms", "body_timeout": "300ms"}
CLOSED_WITHIN_S = 8.0
"""The timeout, the second after which it is looked at again, and patience; but it is not what would
be closed without those settings, after ten seconds."""

HEADS = {
    "nothing": b"",
    "half a request line": b"GET /thre",
    "half a header": b"GET /x HTTP/1.1\r\nHost: a\r\nX-Long: abc",
    "no empty line": b"GET /x HTTP/1.1\r\nHost: a\r\n",
    "empty lines": b"\r\n\r\n",
}
START = b"POST /threads/t/runs HTTP/1.1\r\nHost: a\r\n"
BODIES = {
    "no body": START + b"Content-Length: 100\r\n\r\n",
    "half a body": START + b"Content-Length: 100\r\n\r\n{",
    "half a chunk": START + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
    "no last chunk": START + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "no leave wanted": START + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
}


async def closed(wire: Wire) -> bytes:
    async with asyncio.timeout(CLOSED_WITHIN_S):
        return await wire.everything()


# Row 18: heads have a deadline, whatever of them came, and however slowly the rest does.
async def test_heads_that_do_not_come_end_their_connections() -> None:
    async with recorded(**SHORT) as (server, front):
        await asyncio.gather(*(abandoned_head(front, sent) for sent in HEADS.values()))
        assert server.requests == []


async def abandoned_head(front: Front, sent: bytes) -> None:
    async with front.wire() as wire:
        await wire.send(sent)
        assert await closed(wire) == b""


async def test_so_do_heads_that_do_not_come_after_other_requests() -> None:
    async with recorded(**SHORT) as (server, front):
        heads = [sent for sent in HEADS.values() if sent]  # without a byte it is kept alive
        await asyncio.gather(*(abandoned_later(front, sent) for sent in heads))
        assert len(server.requests) == len(heads)


async def abandoned_later(front: Front, sent: bytes) -> None:
    async with front.wire() as wire:
        await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        await wire.send(sent)
        assert await closed(wire) == b""


@pytest.mark.parametrize("kept", [False, True], ids=["first", "later"])
async def test_a_head_that_trickles_in_ends_the_connection_too(kept: bool) -> None:
    async with recorded(**SHORT) as (_, front), front.wire() as wire:
        if kept:
            await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            trickling = group.create_task(trickle(wire))
            assert await closed(wire) == b""
            trickling.cancel()


async def trickle(wire: Wire) -> None:
    await wire.send(b"GET /x HTTP/1.1\r\n")
    with suppress(ConnectionError):
        while True:
            await wire.send(b"X: y\r\n")
            await asyncio.sleep(0.05)


# Row 18: bodies may not stand still.
@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
async def test_a_start_whose_body_does_not_come_is_told_so_and_its_connection_closed(
    sent: bytes,
) -> None:
    async with recorded(**SHORT) as (server, front), front.wire() as wire:
        await wire.send(sent)
        told = await closed(wire)
        assert told.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").startswith(b"HTTP/1.1 408 ")
        assert b"body_timeout" in told
        assert server.requests == []


async def test_a_connection_between_requests_may_be_idle_for_longer() -> None:
    async with recorded(**SHORT) as (_, front), front.wire() as wire:
        for _ in range(2):
            assert (await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")).body == b"ok"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.4):
                    await wire.reader.read(1)


@asynccontextmanager
async def slow_connections(front: Front, number: int) -> AsyncIterator[list[Wire]]:
    wires = [front.wire() for _ in range(number)]
    for wire in wires:
        await wire.__aenter__()
        await wire.send(START + b"Content-Length: 100\r\n\r\n{" if id(wire) % 2 else b"GET /x HT")
    try:
        yield wires
    finally:
        for wire in wires:
            await wire.__aexit__(None, None, None)


async def waits(front: Front) -> list[float]:
    """How long a good client waits for each of a hundred answers, shortest first."""
    taken: list[float] = []
    async with front.wire() as wire:
        for _ in range(100):
            begin = time.perf_counter()
            assert (await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")).body == b"ok"
            taken.append(time.perf_counter() - begin)
    return sorted(taken)


async def is_served(front: Front) -> bool:
    async with front.wire() as wire:
        with suppress(ConnectionError):  # it may be turned away at once
            await wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return (await wire.everything()).endswith(b"ok")


# Row 18: a thousand of them are nothing to others.
async def test_a_thousand_slow_connections_do_not_stop_a_good_client() -> None:
    async with recorded() as (_, front):
        alone = await waits(front)
        async with slow_connections(front, 1000):
            beside = await waits(front)
    assert beside[50] < max(0.05, 5 * alone[50])  # of the longest, others have their part


# Row 18: of one peer, and of all, there are so many at most.
async def test_one_address_has_no_more_connections_than_it_may() -> None:
    async with recorded(max_client_connections=2) as (_, front):
        async with slow_connections(front, 2), front.wire() as wire:
            assert await wire.everything() == b""
        await eventually_got(lambda: is_served(front), bool)


async def test_connections_beyond_the_limit_are_turned_away_until_others_go() -> None:
    async with recorded(max_connections=3) as (_, front):
        async with slow_connections(front, 3), front.wire() as wire:
            assert await wire.everything() == b""
        await eventually_got(lambda: is_served(front), bool)
