"""Stopping under load: what is short is finished, what is endless is cut, in time (row 27)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from uuid import UUID

import pytest
from tests.integration.http.rig import LOCAL, recorded, scripted
from tests.integration.http.wire import Answer, Wire
from tests.integration.upstream.raw_server import Peer, serving
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually

from subagent_sidecar.store.driver import sqlite3

STREAMS = 200
SHORT = 60
DRAIN_S = 4.0
IN_TIME_S = 15.0
"""What is not cut goes on for ever; where `drain_timeout` is not heeded it is cut after 20 s."""


class Server:
    """Streams without end under /stream, a run for every start, and short answers elsewhere;
    nothing is answered before `go_on`."""

    def __init__(self) -> None:
        self.waiting = 0
        self.go_on = asyncio.Event()

    async def script(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            if request.startswith(b"GET /stream"):
                await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n")
                await peer.gone()
                return
            self.waiting += 1
            await self.go_on.wait()
            body = b"{}"
            if found := re.match(rb"POST /threads/(\S+)/runs ", request):
                body = b'{"run_id":"r%b","thread_id":"%b","status":"pending"}' % (
                    found[1],
                    found[1],
                )
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def short_request(number: int) -> bytes:
    thread = str(UUID(int=number, version=4)).encode()
    if number % 2:
        return b"GET /x/" + thread + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    start = b"POST /threads/" + thread + b"/runs HTTP/1.1\r\nHost: a\r\n"
    return start + b"Content-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def wires(port: int, number: int) -> AsyncIterator[list[Wire]]:
    opened = [Wire(port) for _ in range(number)]
    for wire in opened:
        await wire.__aenter__()
    try:
        yield opened
    finally:
        for wire in opened:
            await wire.__aexit__(None, None, None)


async def finish(wire: Wire) -> Answer:
    got = await wire.answer()
    assert await wire.everything() == b""
    return got


async def test_a_stop_under_load_fails_no_short_request_and_ends_in_time(tmp_path: Path) -> None:
    server = Server()
    async with serving(server.script) as raw:
        process = SidecarProcess(
            tmp_path,
            upstreams={"one": f"http://{LOCAL}:{raw.port}"},
            config={"drain_timeout": f"{DRAIN_S}s"},
        )
        async with process, wires(process.port, STREAMS) as streams:
            for wire in streams:
                await wire.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            for wire in streams:
                await wire.head()
                assert await wire.chunk() == b"."
            async with wires(process.port, SHORT) as short:
                for number, wire in enumerate(short):
                    await wire.send(short_request(number))
                await eventually(lambda: server.waiting == SHORT)
                begin = time.monotonic()
                stopping = asyncio.ensure_future(process.terminate())
                await eventually(lambda: "stopping" in process.log)
                server.go_on.set()
                answers = await asyncio.gather(*(finish(wire) for wire in short))
                assert {answer.status for answer in answers} == {200}
                assert all(answer.complete for answer in answers)
            assert await stopping == 0
            assert time.monotonic() - begin < IN_TIME_S
            cut = await asyncio.gather(*(wire.everything() for wire in streams))
            assert not any(b"0\r\n" in rest for rest in cut)  # broken off, not ended
        assert "Traceback" not in process.log
        with closing(sqlite3.connect(process.store_path)) as books:
            assert books.execute("select count(*) from runs").fetchone() == (SHORT // 2,)
            assert books.execute("select * from intents").fetchall() == []


async def test_an_idle_sidecar_stops_at_once(tmp_path: Path) -> None:
    process = SidecarProcess(tmp_path, upstreams={"one": "http://127.0.0.1:1"})
    async with process, Wire(process.port) as idle:
        await idle.ask(b"GET /sidecar/health HTTP/1.1\r\nHost: a\r\n\r\n")
        begin = time.monotonic()
        assert await process.terminate() == 0
        assert time.monotonic() - begin < IN_TIME_S
        assert await idle.everything() == b""


async def last_answer(request: bytes) -> Answer:
    """To a request that is on its way on a kept connection when the sidecar begins to stop."""
    async with AsyncExitStack() as stack:
        _, front = await stack.enter_async_context(recorded(drain_timeout="60s"))
        async with front.wire() as wire:
            await wire.ask(b"GET /sidecar/health HTTP/1.1\r\nHost: a\r\n\r\n")
            wire.writer.write(request)
            await stack.aclose()
            return await finish(wire)


async def test_what_is_on_its_way_on_a_kept_connection_is_still_answered() -> None:
    got = await last_answer(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (got.body, got.get(b"connection")) == (b"ok", b"close")


async def test_a_start_that_comes_too_late_is_told_to_try_again() -> None:
    got = await last_answer(short_request(0))
    assert (got.status, got.get(b"retry-after")) == (503, b"2")
    assert b'"draining"' in got.body


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_stream_that_is_cut_is_seen_as_broken(version: bytes) -> None:
    server = Server()
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(scripted(server.script, drain_timeout="200ms"))
        async with front.wire() as wire:
            await wire.send(b"GET /stream HTTP/" + version + b"\r\nHost: a\r\n\r\n")
            await wire.head()
            begin = time.monotonic()
            await stack.aclose()
            assert 0.2 < time.monotonic() - begin < IN_TIME_S
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await wire.reader.readuntil(b"0\r\n" if version == b"1.1" else b"no such thing")
            if version == b"1.0":
                assert isinstance(wire.reader.exception(), ConnectionResetError)
