"""Large and compressed bodies pass through a small process (rows 16, 17)."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.http.rig import LOCAL, recorded
from tests.integration.http.wire import Wire
from tests.integration.upstream.raw_server import OK, Peer, Script, serving
from tests.support.processes import SidecarProcess

from subagent_sidecar.proxy.peek import PEEK_LIMIT

MIB = 1024 * 1024
LARGE = 100 * MIB
PIECE = bytes(range(256)) * 1024
BOMB = gzip.compress(bytes(LARGE), compresslevel=9)
START = b"POST /threads/6c1e3d5e-2f60-4f6a-9f5e-3f0d5a0b7c11/runs HTTP/1.1\r\nHost: a\r\n"


def memory(pid: int, kind: str = "VmHWM") -> int:
    """Bytes resident in the process: VmRSS now, VmHWM at most so far."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


@asynccontextmanager
async def sidecar_for(script: Script, folder: Path) -> AsyncIterator[SidecarProcess]:
    """A process of its own, warmed up."""
    async with serving(script) as server:
        url = f"http://{LOCAL}:{server.port}"
        async with SidecarProcess(folder, upstreams={"one": url}) as process:
            async with Wire(process.port) as wire:
                await wire.ask(b"GET /sidecar/health HTTP/1.1\r\nHost: a\r\n\r\n")
            yield process


async def send_large(wire: Wire, *, chunked: bool) -> None:
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % LARGE
    await wire.send(b"POST /x HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
    for _ in range(LARGE // len(PIECE)):
        await wire.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
    if chunked:
        await wire.send(b"0\r\n\r\n")


async def skip(reader: asyncio.StreamReader, size: int) -> None:
    left = size
    while left:
        piece = await reader.read(min(left, MIB))
        assert piece, f"{left} bytes are missing"
        left -= len(piece)


async def large_server(peer: Peer) -> None:
    """Takes a large body and answers with one, at its client's pace."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    if b"chunked" in head:
        while size := int(await peer.reader.readuntil(b"\r\n"), 16):
            await skip(peer.reader, size + 2)
        await peer.reader.readexactly(2)
    elif b"Content-Length" in head:
        await skip(peer.reader, LARGE)
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
    for _ in range(LARGE // len(PIECE)):
        await peer.send(PIECE)


# Row 16: nothing is kept of what only passes, either way.
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_hundred_megabytes_pass_both_ways_in_a_few_megabytes(
    tmp_path: Path, chunked: bool
) -> None:
    async with sidecar_for(large_server, tmp_path) as process, Wire(process.port) as wire:
        before = memory(process.pid, "VmRSS")
        await send_large(wire, chunked=chunked)
        line, fields = await wire.head()
        assert (line, fields) == (b"HTTP/1.1 200 OK", [(b"Content-Length", b"%d" % LARGE)])
        await skip(wire.reader, LARGE)
        assert memory(process.pid) - before < 16 * MIB


# Row 17: nor is it unpacked. What is read in passing is unpacked up to PEEK_LIMIT (test_peek).
async def test_a_bomb_in_a_request_or_an_answer_is_not_set_off(tmp_path: Path) -> None:
    packed = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            assert request.startswith(b"GET") or request.endswith(BOMB)
            await peer.send(b"HTTP/1.1 200 OK\r\n" + packed)

    async with sidecar_for(script, tmp_path) as process, Wire(process.port) as wire:
        before = memory(process.pid, "VmRSS")
        for path in (b"/threads/t/runs/r", b"/threads/t", b"/threads/t/runs", b"/x"):
            got = await wire.ask(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert got.body == BOMB
        for start in (START, START.replace(b"/runs", b"/runs/stream"), b"POST /x HTTP/1.1\r\n"):
            host = b"" if b"Host" in start else b"Host: a\r\n"
            assert (await wire.ask(start + host + packed)).body == BOMB
        assert memory(process.pid) - before < 4 * PEEK_LIMIT < LARGE // 2  # zlib's buffer doubles


# Row 16: what is read in passing has a limit of its own, and what is longer passes all the same.
@pytest.mark.parametrize("path", [b"/threads/t/runs/r", b"/threads/t/runs", b"/threads/t"])
async def test_an_answer_too_long_to_be_read_in_passing_passes_whole(path: bytes) -> None:
    body = b'{"run_id":"r","thread_id":"t","status":"success","x":"%b"}' % (b"x" * PEEK_LIMIT)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with recorded(answer) as (_, front), front.wire() as wire:
        assert (await wire.ask(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")).body == body


async def test_a_start_of_twenty_megabytes_costs_a_few_times_its_size(tmp_path: Path) -> None:
    body = b'{"assistant_id":"a","input":{"blob":"' + b"x" * (20 * MIB) + b'"}}'

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(OK)

    async with sidecar_for(script, tmp_path) as process, Wire(process.port) as wire:
        before = memory(process.pid, "VmRSS")
        for _ in range(3):
            assert (
                await wire.ask(START + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            ).status == 200
        assert memory(process.pid) - before < 8 * len(body)
