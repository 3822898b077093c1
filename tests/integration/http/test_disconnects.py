"""Whoever goes away is missed at once, and on the other side too (rows 4, 5, 19)."""

import asyncio

import pytest
from tests.integration.http.rig import Front, open_files, scripted
from tests.integration.upstream.raw_server import Peer, settled
from tests.support.waiting import eventually

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nevent"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nevent"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nevent"
BODY = b"Content-Length: 2\r\n\r\n{}"
REQUESTS = {
    "stream": b"GET /threads/t/stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "join": b"GET /threads/t/runs/r/join HTTP/1.1\r\nHost: a\r\n\r\n",
    "run stream": b"POST /threads/t/runs/stream HTTP/1.1\r\nHost: a\r\n" + BODY,
    "custom": b"POST /custom HTTP/1.1\r\nHost: a\r\n" + BODY,
    "poll": b"GET /threads/t/runs/r HTTP/1.1\r\nHost: a\r\n\r\n",
    "cancel": b"POST /threads/t/runs/r/cancel?wait=1 HTTP/1.1\r\nHost: a\r\n" + BODY,
}
AT_ONCE = 8.0
"""Before any deadline passes: those for a head and for a body are 10 and 30 seconds. What is seen
at once takes no time that could be told from a machine's standing still."""


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_client_that_leaves_its_stream_ends_it_upstream(kind: str, reset: bool) -> None:
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.answer(CHUNKED)
        ended.set_result(await peer.gone())

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(REQUESTS[kind])
        await wire.head()
        assert await wire.chunk() == b"event"
        wire.reset() if reset else wire.writer.close()
        async with asyncio.timeout(AT_ONCE):
            assert await ended == b""


@pytest.mark.parametrize("kind", [kind for kind in REQUESTS if kind != "run stream"])
async def test_a_client_that_leaves_before_the_answer_ends_the_request(kind: str) -> None:
    asked = asyncio.Event()
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        ended.set_result(await peer.gone())

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(REQUESTS[kind])
        await asked.wait()
        wire.reset()
        async with asyncio.timeout(AT_ONCE):
            await ended


async def test_a_client_that_leaves_in_the_middle_of_its_body_ends_the_request() -> None:
    asked = asyncio.Event()
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"part")
        asked.set()
        ended.set_result(await peer.gone())

    async with scripted(script) as front, front.wire() as wire:
        await wire.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart")
        await asked.wait()
        wire.reset()
        async with asyncio.timeout(AT_ONCE):
            assert await ended == b""


async def test_a_client_that_leaves_while_the_server_does_not_take_its_body_is_missed() -> None:
    """While nobody reads from its connection, no event tells that it has ended."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        asked.set()
        await over.wait()  # the reader's buffer fills, then the kernel's, then the sidecar's

    async with scripted(script) as front:
        files = open_files()
        async with front.wire() as wire:
            await wire.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n")
            wire.writer.write(b"x" * 90_000_000)
            await asked.wait()
            await settled(wire.writer.transport.get_write_buffer_size)
            assert open_files() == files + 4
            wire.reset()
            await eventually(  # what is left is the server's end
                lambda: open_files() == files + 1, within=AT_ONCE
            )
        over.set()


async def test_clients_that_ask_many_things_and_leave_are_told_nothing_more() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(LENGTH + b"x" * 95)

    async with scripted(script) as front:
        for _ in range(20):
            async with front.wire() as wire:
                await wire.send(REQUESTS["join"] * 20)
                await wire.head()
                wire.reset()
        async with front.wire() as wire:
            assert (await wire.ask(REQUESTS["join"])).complete


async def broken(front: Front, request: bytes, head_passed: asyncio.Event) -> bool:
    """Whether the answer is; the server is told when its head is through, since before that it
    would be a 502."""
    head_passed.clear()
    async with front.wire() as wire:
        await wire.send(request)
        head = await wire.head()
        head_passed.set()
        got = await wire.rest(*head)
        assert (got.status, got.body[:5]) == (200, b"event"[: len(got.body)])
        return not got.complete


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
@pytest.mark.parametrize("answer", [CHUNKED, LENGTH, LARGE], ids=["chunked", "length", "large"])
@pytest.mark.parametrize("kind", REQUESTS)
async def test_an_answer_that_breaks_off_upstream_is_never_a_whole_one(
    kind: str, answer: bytes, reset: bool
) -> None:
    head_passed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(answer)
        await head_passed.wait()
        if reset:
            peer.reset()

    async with scripted(script, coalesce="0") as front:
        assert await broken(front, REQUESTS[kind], head_passed)


@pytest.mark.parametrize("answer", [CHUNKED, LENGTH], ids=["chunked", "length"])
async def test_a_client_of_http_1_0_sees_the_break_too(answer: bytes) -> None:
    """There the end of the connection is the end of the body, so only a reset tells."""

    head_passed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(answer)
        await head_passed.wait()

    async with scripted(script) as front:
        assert await broken(front, b"GET /x HTTP/1.0\r\n\r\n", head_passed)


async def test_a_body_that_ends_with_its_connection_is_whole_at_a_close_and_broken_at_a_reset() -> (
    None
):
    head_passed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(UNTIL_CLOSE)
        await head_passed.wait()
        if peer.number > 1:
            peer.reset()

    async with scripted(script) as front:
        assert not await broken(front, REQUESTS["join"], head_passed)
        assert await broken(front, REQUESTS["join"], head_passed)


async def test_a_broken_upload_after_the_answer_began_breaks_the_answer() -> None:
    """A second answer, to tell of the error, would be taken for part of the first."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(CHUNKED)
        await peer.gone()

    async with scripted(script, body_timeout="1s") as front, front.wire() as wire:
        await wire.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart")
        got = await wire.answer()
        assert (got.status, got.body, got.complete) == (200, b"event", False)
        assert await wire.everything() == b""
