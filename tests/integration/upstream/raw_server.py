"""Servers that follow a script byte by byte, and the requests sent to them.

async with serving(script) as server:       # async def script(peer: Peer) -> None
    upstream = connect(server.port)

The script runs once for each connection; when it returns, the connection is closed.
"""

import asyncio
import os
import re
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from subagent_sidecar.ports import Exchange, Headers, Outgoing
from subagent_sidecar.upstream import HttpUpstream

_BELIEVED = 5

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# Closing with this sends a reset instead of an end of file.
_NO_LINGER = struct.pack("ii", 1, 0)


class Connect(Protocol):
    def __call__(self, port: int, **settings: Any) -> HttpUpstream: ...


class Peer:
    """One connection, from the server's side. `number` counts connections from 1."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self.reader = reader
        self.number = number
        self._writer = writer

    async def request(self) -> bytes:
        """The next request, head and body, as it came."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        if found := re.search(rb"(?i)content-length: (\d+)", head):
            return head + await self.reader.readexactly(int(found[1]))
        if b"transfer-encoding: chunked" in head.lower():
            return head + await self.reader.readuntil(b"0\r\n\r\n")
        return head

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, data: bytes = OK) -> bytes:
        """Take a request, send `data`; the request."""
        request = await self.request()
        await self.send(data)
        return request

    async def gone(self) -> bytes:
        """Wait for the client to close or reset; what it sent before."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def hang_up(self) -> None:
        """End the TCP connection: over TLS, without the good-bye that belongs there."""
        with socket.socket(fileno=os.dup(self._writer.get_extra_info("socket").fileno())) as sock:
            sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class RawServer:
    """`connections` counts those accepted; `open` those still open."""

    def __init__(self, script: Script) -> None:
        self.port = 0
        self.listener: asyncio.Server | None = None
        self.connections = 0
        self.open = 0
        self.scripts: set[asyncio.Task[None]] = set()
        self._script = script

    def stop_listening(self) -> None:
        """Refuse new connections; those that are open stay."""
        assert self.listener is not None
        self.listener.close()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        peer = Peer(reader, writer, self.connections)
        self.scripts.add(asyncio.get_running_loop().create_task(self._serve(peer, writer)))

    async def _serve(self, peer: Peer, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            await self._script(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(
    script: Script, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Runs until the end of the block; an exception in a script fails the test."""
    raw = RawServer(script)
    server = await asyncio.start_server(raw.accept, "127.0.0.1", port, ssl=tls)
    raw.listener = server
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        for task in raw.scripts:
            task.cancel()
        for ended in await asyncio.gather(*raw.scripts, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


def answering(data: bytes) -> Script:
    """Every request on every connection gets `data`."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(data)

    return script


HOST: Headers = ((b"Host", b"agents"),)


_GET = Outgoing(method=b"GET", target=b"/", headers=HOST, replayable=True)
_POST = Outgoing(method=b"POST", target=b"/runs", headers=HOST, body=b"{}")


def get(target: bytes = b"/", **fields: Any) -> Outgoing:
    """What the proxy sends most: a GET that may be replayed."""
    return replace(_GET, target=target, **fields)


def post(body: bytes | AsyncIterator[bytes] | None = b"{}", **fields: Any) -> Outgoing:
    return replace(_POST, body=body, **fields)


def new_client(port: int, **settings: Any) -> HttpUpstream:
    given = {"host": "127.0.0.1", "now": time.monotonic, **settings}
    return HttpUpstream(port=port, display_url=f"http://127.0.0.1:{port}", **given)


async def end(upstream: HttpUpstream) -> None:
    """Close it; it must then have closed every connection."""
    await upstream.aclose()
    assert upstream.open_connections == upstream.idle_connections == 0


async def read(exchange: Exchange) -> bytes:
    """The body, however it came."""
    return b"".join([piece async for piece in exchange.chunks()])


async def settled(amount: Callable[[], int]) -> int:
    """The amount, once it has begun to change and stopped: a standstill raises no event to wait
    for, so it is believed after a few looks in a row."""
    before, alike = 0, 0
    for _ in range(600):
        alike = alike + 1 if before and before == amount() else 0
        if alike == _BELIEVED:
            return before
        before = amount()
        await asyncio.sleep(0.05)
    raise AssertionError(f"still moving at {before}")
