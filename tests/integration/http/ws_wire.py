"""A WebSocket client and server that see every frame (RFC 6455)."""

import asyncio
import base64
import hashlib
import re
import struct
from dataclasses import dataclass

from tests.support.waiting import PATIENCE_S

TEXT, BINARY, CLOSE, PING, PONG, MORE = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    b"Host: me:1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
)


@dataclass(frozen=True)
class Frame:
    op: int
    data: bytes = b""
    last: bool = True


def closing(code: int, reason: str = "") -> Frame:
    return Frame(CLOSE, struct.pack("!H", code) + reason.encode())


def accept(key: bytes = KEY) -> bytes:
    return base64.b64encode(hashlib.sha1(key + _MAGIC).digest())


def switching(request: bytes, *fields: bytes) -> bytes:
    """A server's consent to `request`."""
    found = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
    assert found
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept(found[1]),
        *fields,
        b"\r\n",
    ]
    return b"\r\n".join(lines)


def encode(frame: Frame, *, masked: bool) -> bytes:
    first = frame.op | (0x80 if frame.last else 0)
    size, bit = len(frame.data), 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, size | bit)
    elif size < 65_536:
        head = struct.pack("!BBH", first, 126 | bit, size)
    else:
        head = struct.pack("!BBQ", first, 127 | bit, size)
    if not masked:
        return head + frame.data
    mask = b"\x01\x02\x03\x04"
    return head + mask + _masked(frame.data, mask)


async def read(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises IncompleteReadError where the connection ends first."""
    async with asyncio.timeout(PATIENCE_S):
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await reader.readexactly(8))
        mask = await reader.readexactly(4) if second & 0x80 else b""
        data = await reader.readexactly(size)
    return Frame(first & 0x0F, _masked(data, mask) if mask else data, bool(first & 0x80))


def _masked(data: bytes, mask: bytes) -> bytes:
    pad = (mask * (len(data) // 4 + 1))[: len(data)]
    number = int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")
    return number.to_bytes(len(data), "big")
