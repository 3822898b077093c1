"""Writing answers to the client's connection, head and body in as few writes as possible.

aiohttp's own response classes cost three times as much and change what passes through them
(header case, Date, Server, Content-Type), so the bytes are written here and aiohttp is told that
its work is done.
"""

import asyncio
import http
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache

from aiohttp import web

from ..errors import SidecarError
from ..ports import as_written
from .headers import Field
from .request import DataRequest

_REASONS = {status.value: status.phrase.encode() for status in http.HTTPStatus}
_BODILESS = frozenset({204, 304})
_NO_LINGER = struct.pack("ii", 1, 0)


class Sent(web.StreamResponse):
    """Tells aiohttp that the answer is already on its way; `whole` unless it broke off.

    The base class's own set-up (headers, cookies, body) is not needed and not run: the server
    asks only for what is defined here.
    """

    def __init__(self, status: int, *, keep: bool, whole: bool = True) -> None:
        self._status = status
        self._keep = keep
        self.whole = whole

    @property
    def keep_alive(self) -> bool:
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> None:
        """A client that asks and does not read gets no further answers."""
        if request.protocol.writing_paused:
            await request.writer.drain()

    async def write_eof(self, data: object = b"") -> None:
        return None


def head(
    request: DataRequest,
    status: int,
    reason: bytes,
    fields: Sequence[Field],
    framing: bytes,
    *,
    keep: bool,
) -> bytes:
    """The bytes of an answer's head."""
    connection = b""
    if not keep:
        connection = b"Connection: close\r\n"
    elif request.version.minor == 0:
        connection = b"Connection: keep-alive\r\n"
    lines = as_written(fields)
    return b"HTTP/1.1 %d %b\r\n%b%b%b\r\n" % (status, reason, lines, framing, connection)


def send(
    request: DataRequest,
    status: int,
    fields: Sequence[Field],
    body: bytes,
    *,
    reason: bytes | None = None,
    length: bytes | None = None,
    last: bool = False,
) -> Sent:
    """Answer with a whole body. `length` overrides Content-Length, for answers to HEAD; after
    the `last` answer the connection is closed."""
    keep = request.keep_alive and not last
    if reason is None:
        reason = _REASONS.get(status, b"")
    if request.method == "HEAD" or status in _BODILESS:
        body = b""
        framing = b"" if length is None else b"Content-Length: %b\r\n" % length
    else:
        framing = b"Content-Length: %d\r\n" % len(body)
    transport = request.connection.transport
    if transport is not None and not transport.is_closing():
        transport.write(head(request, status, reason, fields, framing, keep=keep) + body)
    return _sent(status, keep)


@lru_cache(256)
def _sent(status: int, keep: bool) -> Sent:
    return Sent(status, keep=keep)


async def stream(
    request: DataRequest,
    status: int,
    reason: bytes,
    fields: Sequence[Field],
    chunks: AsyncIterator[bytes],
    *,
    length: bytes | None,
    tap: Callable[[bytes], None] | None = None,
) -> Sent:
    """Answer with a body that is still coming, every piece as soon as it is there.

    `tap` is shown each piece. Whatever keeps the body from its end breaks it off here too: the
    connection is closed before the announced end, so no client can take the part for the whole.
    """
    keep = request.keep_alive
    chunked = False
    if length is not None:
        framing = b"Content-Length: %b\r\n" % length
    elif request.version >= (1, 1):
        framing, chunked = b"Transfer-Encoding: chunked\r\n", True
    else:
        framing, keep = b"", False
    transport = request.transport
    if transport is None:
        return Sent(status, keep=False, whole=False)
    transport.write(head(request, status, reason, fields, framing, keep=keep))
    connection = request.connection
    try:
        async for piece in chunks:
            if chunked:
                transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            else:
                transport.write(piece)
            if tap is not None:
                tap(piece)
            if connection.writing_paused:
                await connection.drain()
    except BaseException as error:
        _break_off(transport, framed=bool(framing))
        if isinstance(error, SidecarError):
            return Sent(status, keep=False, whole=False)
        raise
    if chunked:
        transport.write(b"0\r\n\r\n")
    return Sent(status, keep=keep)


def _break_off(transport: asyncio.Transport, *, framed: bool) -> None:
    """End the connection so that the client sees a broken answer. Where the end of the
    connection is the end of the body (HTTP/1.0), only a reset says so."""
    if framed:
        transport.close()
    elif not transport.is_closing():
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
