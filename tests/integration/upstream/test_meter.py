"""What the client counts of the requests it makes."""

import asyncio

import pytest
from tests.integration.upstream.raw_server import Connect, Peer, get, post, serving
from tests.support.ports import free_port

from subagent_sidecar.core.metrics.meters import BROKEN, TIMEOUT, UNREACHABLE, UpstreamMeter
from subagent_sidecar.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable


def counted(meter: UpstreamMeter) -> tuple[dict[int, int], dict[str, int], int]:
    """Answers by their first digit, failures by what they were, and how many waits."""
    classes = {digit: count for digit, count in enumerate(meter.classes) if count}
    failures = {what: count for what, count in meter.failures.items() if count}
    return classes, failures, sum(meter.waits.counts)


async def test_answers_are_counted_by_their_class(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        for status in (b"200 OK", b"201 Created", b"404 Not Found", b"503 Busy"):
            await peer.request()
            await peer.send(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)

    async with serving(script) as server:
        upstream = connect(server.port)
        for _ in range(4):
            await upstream.send(get())
    assert counted(upstream.meter) == ({2: 2, 4: 1, 5: 1}, {}, 4)


async def test_a_request_that_is_sent_twice_is_one(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer()
        if peer.number == 1:
            await peer.request()  # and hang up on it

    async with serving(script) as server:
        upstream = connect(server.port)
        await upstream.send(get())
        await upstream.send(get())
        assert server.connections == 2
    assert counted(upstream.meter) == ({2: 2}, {}, 2)


async def test_what_fails_is_counted_by_how(connect: Connect) -> None:
    upstream = connect(free_port())
    with pytest.raises(UpstreamUnreachable):
        await upstream.send(get())
    assert counted(upstream.meter) == ({}, {UNREACHABLE: 1}, 0)

    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with serving(silent) as server:
        upstream = connect(server.port)
        with pytest.raises(UpstreamTimeout):
            await upstream.send(get(first_byte_timeout=0.05))
    assert counted(upstream.meter) == ({}, {TIMEOUT: 1}, 0)

    async def rude(peer: Peer) -> None:
        await peer.request()

    async with serving(rude) as server:
        upstream = connect(server.port)
        with pytest.raises(UpstreamBroken):
            await upstream.send(post())
    assert counted(upstream.meter) == ({}, {BROKEN: 1}, 0)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("kept", [True, False])
async def test_the_wait_is_the_one_for_the_head(connect: Connect, whole: bool, kept: bool) -> None:
    connection = b"" if kept else b"Connection: close\r\n"
    length = b"2" if whole else b"200000"

    async def script(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            await asyncio.sleep(0.05)
            await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % b"")
        await peer.request()
        await asyncio.sleep(0.05)
        await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: %b\r\n\r\nok" % (connection, length))
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port)
        waits = [(await upstream.send(get())).waited_s for _ in range(3)]
    assert all(0.04 < waited < 10 for waited in waits), waits
    assert upstream.meter.waits.sum == pytest.approx(sum(waits))
