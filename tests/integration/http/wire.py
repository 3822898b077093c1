"""A client that sends the bytes it is told to, and reads answers without believing anything."""

import asyncio
import re
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support.waiting import PATIENCE_S

Fields = list[tuple[bytes, bytes]]
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Answer:
    """`complete` unless the connection ended before the end that the framing announced."""

    line: bytes
    fields: Fields
    body: bytes
    complete: bool = True
    trailers: bytes = b""

    @property
    def status(self) -> int:
        return int(self.line.split(b" ")[1])

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name]

    def get(self, name: bytes) -> bytes | None:
        return next(iter(self.all(name)), None)


class Wire:
    """One connection to 127.0.0.1:`port`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.writer.transport.abort()

    def elsewhere(self) -> "Wire":
        """Another connection to the same port."""
        return Wire(self._port)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer(head_only=data.startswith(b"HEAD "))

    async def head(self) -> tuple[bytes, Fields]:
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        fields = [tuple(field.split(b": ", 1)) for field in lines]
        return line, [(name, value) for name, value in fields]

    async def answer(self, *, head_only: bool = False) -> Answer:
        return await self.rest(*await self.head(), head_only=head_only)

    async def rest(self, line: bytes, fields: Fields, *, head_only: bool = False) -> Answer:
        """The answer whose head has been read."""
        plain = {name.lower(): value for name, value in fields}
        bodiless = head_only or re.match(rb"HTTP/1.. (1..|204|304) ", line)
        async with asyncio.timeout(PATIENCE_S):
            if bodiless:
                return Answer(line, fields, b"")
            if plain.get(b"transfer-encoding", b"").lower() == b"chunked":
                return await self._chunked(line, fields)
            if b"content-length" in plain:
                size = int(plain[b"content-length"])
                body = await self._up_to(size)
                return Answer(line, fields, body, complete=len(body) == size)
            try:
                return Answer(line, fields, await self.reader.read(), complete=True)
            except ConnectionError:
                return Answer(line, fields, b"", complete=False)

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        async with asyncio.timeout(PATIENCE_S):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            if size:
                return (await self.reader.readexactly(size + 2))[:-2]
        return b""

    async def everything(self) -> bytes:
        """What comes until the other side ends the connection, however it does."""
        parts: list[bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            try:
                while part := await self.reader.read(65536):
                    parts.append(part)
            except ConnectionError:
                pass
        return b"".join(parts)

    def reset(self) -> None:
        """Vanish: the other side gets a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.writer.transport.abort()

    async def _up_to(self, size: int) -> bytes:
        try:
            return await self.reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            return error.partial
        except ConnectionError:
            return b""

    async def _chunked(self, line: bytes, fields: Fields) -> Answer:
        parts: list[bytes] = []
        try:
            while piece := await self.chunk():
                parts.append(piece)
            trailers = b""
            while (more := await self.reader.readuntil(b"\r\n")) != b"\r\n":
                trailers += more
        except (asyncio.IncompleteReadError, ConnectionError):
            return Answer(line, fields, b"".join(parts), complete=False)
        return Answer(line, fields, b"".join(parts), trailers=trailers)
