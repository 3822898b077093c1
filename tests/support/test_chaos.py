"""Each toxic does what it says, to one direction, while connections are open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import NamedTuple

import pytest
from tests.support.chaos import ChaosProxy
from tests.support.toxics import (
    Bandwidth,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
    Way,
)
from tests.support.waiting import eventually

QUICK = 0.1


class Talk(NamedTuple):
    """Both ends of one connection through the proxy."""

    proxy: ChaosProxy
    client_reads: asyncio.StreamReader
    client_writes: asyncio.StreamWriter
    server_reads: asyncio.StreamReader
    server_writes: asyncio.StreamWriter

    def sender(self, way: Way) -> asyncio.StreamWriter:
        return self.client_writes if way is Way.UP else self.server_writes

    def receiver(self, way: Way) -> asyncio.StreamReader:
        return self.server_reads if way is Way.UP else self.client_reads


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        arrived.put_nowait((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, ChaosProxy("127.0.0.1", port) as proxy:
        client_reads, client_writes = await asyncio.open_connection("127.0.0.1", proxy.port)
        server_reads, server_writes = await arrived.get()
        yield Talk(proxy, client_reads, client_writes, server_reads, server_writes)
        for writer in (client_writes, *writers):
            writer.close()


async def seconds_of(work: Awaitable[object]) -> float:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await work
    return loop.time() - started


async def nothing_arrives(reader: asyncio.StreamReader, within: float = QUICK) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), within)
    except TimeoutError:
        return True
    return False


both_ways = pytest.mark.parametrize("way", list(Way))


@both_ways
async def test_without_toxics_bytes_pass_unchanged_and_at_once(talk: Talk, way: Way) -> None:
    talk.sender(way).write(b"x" * 200_000)

    assert await talk.receiver(way).readexactly(200_000) == b"x" * 200_000


@both_ways
async def test_the_end_of_one_direction_leaves_the_other_open(talk: Talk, way: Way) -> None:
    talk.sender(way).write_eof()
    assert await talk.receiver(way).read() == b""

    other = Way.DOWN if way is Way.UP else Way.UP
    talk.sender(other).write(b"still here")
    assert await talk.receiver(other).readexactly(10) == b"still here"


@both_ways
async def test_latency_delays_without_throttling(talk: Talk, way: Way) -> None:
    talk.proxy.add(Latency(0.2), way)

    async def twenty_messages() -> None:
        for _ in range(20):
            talk.sender(way).write(b"m")
            await asyncio.sleep(0.005)
        await talk.receiver(way).readexactly(20)

    assert 0.2 <= await seconds_of(twenty_messages()) < 1.0


async def test_jitter_spreads_the_delay_and_keeps_the_order(talk: Talk) -> None:
    talk.proxy.add(Latency(0.05, jitter=0.05), Way.UP)
    sent = b"".join(bytes([n]) for n in range(50))
    for n in sent:
        talk.client_writes.write(bytes([n]))
        await asyncio.sleep(0)

    assert await talk.server_reads.readexactly(50) == sent


async def test_latency_acts_on_one_direction_only(talk: Talk) -> None:
    talk.proxy.add(Latency(5.0), Way.DOWN)

    talk.client_writes.write(b"up")
    assert await asyncio.wait_for(talk.server_reads.readexactly(2), 1.0) == b"up"
    talk.server_writes.write(b"down")
    assert await nothing_arrives(talk.client_reads)


@both_ways
async def test_bandwidth_limits_the_rate(talk: Talk, way: Way) -> None:
    talk.proxy.add(Bandwidth(100_000), way)
    talk.sender(way).write(b"x" * 40_000)

    assert await seconds_of(talk.receiver(way).readexactly(40_000)) >= 0.3


@both_ways
async def test_slow_close_delays_the_end_and_not_the_data(talk: Talk, way: Way) -> None:
    talk.proxy.add(SlowClose(0.3), way)
    talk.sender(way).write(b"data")
    talk.sender(way).write_eof()

    assert await seconds_of(talk.receiver(way).readexactly(4)) < 0.2
    assert await seconds_of(talk.receiver(way).read()) >= 0.2


@both_ways
async def test_timeout_lets_nothing_pass_and_then_closes(talk: Talk, way: Way) -> None:
    talk.proxy.add(Timeout(0.3), way)
    talk.sender(way).write(b"lost")

    assert await talk.receiver(way).read() == b""
    await eventually(lambda: talk.proxy.open_links == 0)


async def test_timeout_zero_holds_until_it_is_taken_off(talk: Talk) -> None:
    talk.proxy.add(Timeout(), Way.UP)
    talk.client_writes.write(b"lost")
    assert await nothing_arrives(talk.server_reads)

    talk.proxy.clear()
    assert await talk.server_reads.read() == b""


@both_ways
async def test_reset_peer_is_a_reset_for_both_ends(talk: Talk, way: Way) -> None:
    talk.proxy.add(ResetPeer(), way)

    with pytest.raises(ConnectionResetError):
        await talk.client_reads.read()
    with pytest.raises(ConnectionResetError):
        await talk.server_reads.read()


@both_ways
@pytest.mark.parametrize("offset", [0, 1, 7, 10])
async def test_reset_peer_strikes_at_the_byte(talk: Talk, way: Way, offset: int) -> None:
    talk.proxy.add(ResetPeer(after_bytes=offset), way)
    talk.sender(way).write(b"0123456789")

    assert await talk.receiver(way).readexactly(offset) == b"0123456789"[:offset]
    with pytest.raises(ConnectionResetError):
        await talk.receiver(way).read()


@both_ways
async def test_slicer_cuts_data_into_small_pieces(talk: Talk, way: Way) -> None:
    talk.proxy.add(Slicer(size=3, variation=1, delay=0.01), way)
    talk.sender(way).write(b"x" * 30)

    pieces: list[bytes] = []
    while len(b"".join(pieces)) < 30:
        pieces.append(await talk.receiver(way).read(100))
    assert len(pieces) >= 5


@both_ways
@pytest.mark.parametrize("limit", [0, 5, 10])
async def test_limit_data_ends_the_connection_at_the_byte(talk: Talk, way: Way, limit: int) -> None:
    talk.proxy.add(LimitData(limit), way)
    talk.sender(way).write(b"0123456789")

    assert await talk.receiver(way).read() == b"0123456789"[:limit]


@pytest.mark.parametrize("toxic", [ResetPeer(after_bytes=4), LimitData(4)])
async def test_bytes_are_counted_from_the_moment_a_toxic_is_added(talk: Talk, toxic: Toxic) -> None:
    talk.client_writes.write(b"before")
    assert await talk.server_reads.readexactly(6) == b"before"
    talk.proxy.add(toxic, Way.UP)
    talk.client_writes.write(b"after")

    assert await talk.server_reads.readexactly(4) == b"afte"


async def test_while_down_connections_are_cut_and_refused(talk: Talk) -> None:
    async with talk.proxy.down():
        with pytest.raises(ConnectionResetError):
            await talk.client_reads.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", talk.proxy.port)

    _, writer = await asyncio.open_connection("127.0.0.1", talk.proxy.port)
    await eventually(lambda: talk.proxy.open_links == 1)
    writer.close()


@pytest.mark.parametrize("toxic", [Latency(5.0), Slicer(1, delay=1.0)])
async def test_a_cleared_toxic_is_gone_for_what_is_sent_next(talk: Talk, toxic: Toxic) -> None:
    talk.proxy.add(toxic, Way.UP)
    talk.proxy.clear()
    talk.client_writes.write(b"hello")

    assert await asyncio.wait_for(talk.server_reads.readexactly(5), 1.0) == b"hello"
