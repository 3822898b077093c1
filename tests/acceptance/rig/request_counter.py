"""A relay in front of a server that counts the requests it was sent, retries included."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LINE = re.compile(rb"(?:GET|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")
"""Of a kept connection, right behind the body of the request before."""


class RequestCounter:
    """`url` is where to send instead."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sent: list[bytearray] = []
        self.url = ""

    def targets(self) -> list[str]:
        """The targets of all requests so far, in order on each connection."""
        return [line.decode() for sent in self._sent for line in _LINE.findall(sent)]

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        sent = bytearray()
        self._sent.append(sent)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, server_writer, sent))
                group.create_task(_copy(server_reader, writer))
        finally:
            server_writer.close()
            writer.close()


async def _copy(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray | None = None
) -> None:
    try:
        while piece := await source.read(65536):
            if kept is not None:
                kept += piece
            sink.write(piece)
            await sink.drain()
        sink.write_eof()
    except ConnectionError:
        sink.close()


@asynccontextmanager
async def counting(port: int) -> AsyncIterator[RequestCounter]:
    """Count what is sent to the server on that port of this machine."""
    counter = RequestCounter(port)
    server = await asyncio.start_server(counter.relay, "127.0.0.1", 0)
    counter.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield counter
    finally:
        server.close()
