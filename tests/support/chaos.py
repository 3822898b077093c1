"""A TCP proxy that breaks things on purpose, with the eight toxics of toxiproxy.

    async with ChaosProxy("127.0.0.1", server.port) as proxy:
        proxy.add(Latency(0.2, jitter=0.05), Way.DOWN)
        ...                         # talk to proxy.url
        proxy.clear()               # well again, in mid-connection

Toxics act on one direction, take effect on connections that are already open, and add up.
The eighth, down, concerns the whole proxy: `async with proxy.down(): ...`.
"""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from tests.support.ports import free_port
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

from subagent_sidecar.tasks import spawn

_CHUNK = 64 * 1024


class Link:
    """One proxied connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._ends = {Way.UP: server, Way.DOWN: client}
        self.passed = {Way.UP: 0, Way.DOWN: 0}
        self._counted_from: dict[tuple[Toxic, Way], int] = {}

    def target(self, way: Way) -> asyncio.StreamWriter:
        return self._ends[way]

    def count_from_now(self, toxic: Toxic, way: Way) -> None:
        self._counted_from[toxic, way] = self.passed[way]

    def room(self, toxic: Toxic, way: Way, limit: int) -> int:
        """How many bytes of `limit` are left since the toxic was added."""
        used = self.passed[way] - self._counted_from.get((toxic, way), 0)
        return max(limit - used, 0)

    def close(self) -> None:
        for end in self._ends.values():
            end.close()

    def reset(self) -> None:
        """RST both ways: what is still buffered is lost."""
        for end in self._ends.values():
            connection = end.transport.get_extra_info("socket")
            if not end.transport.is_closing():
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            end.transport.abort()


class ChaosProxy:
    """Forwards 127.0.0.1:`port` to a server; `seed` makes jitter and slices repeatable."""

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self._target = (host, port)
        self._random = random.Random(seed)
        self._toxics: dict[Way, list[Toxic]] = {Way.UP: [], Way.DOWN: []}
        self._links: set[Link] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = free_port()  # nobody takes it while the proxy is down
        self.accepted = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_links(self) -> int:
        return len(self._links)

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop_listening()

    def add(self, toxic: Toxic, way: Way) -> None:
        self._toxics[way].append(toxic)
        for link in self._links:
            link.count_from_now(toxic, way)
            self._set_timer(link, toxic, way)

    def clear(self) -> None:
        """Take all toxics off. Connections that a Timeout held up are closed, as by toxiproxy."""
        held_up = any(isinstance(t, Timeout) for toxics in self._toxics.values() for t in toxics)
        for toxics in self._toxics.values():
            toxics.clear()
        if held_up:
            for link in self._links:
                link.close()

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Within: new connections are refused, and the open ones were cut."""
        await self._stop_listening()
        try:
            yield
        finally:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for link in self._links:
            link.reset()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = spawn(self._serve(reader, writer), name="chaos link")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        link = Link(writer, server_writer)
        self._links.add(link)
        for way, toxics in self._toxics.items():
            for toxic in toxics:
                self._set_timer(link, toxic, way)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(link, Way.UP, reader))
                group.create_task(self._pump(link, Way.DOWN, server_reader))
        finally:
            self._links.discard(link)
            link.close()

    def _set_timer(self, link: Link, toxic: Toxic, way: Way) -> None:
        """Toxics that act by themselves; they do so only if still there when the time comes."""
        match toxic:
            case Timeout(seconds=seconds) if seconds:
                act = link.close
            case ResetPeer(seconds=seconds, after_bytes=None):
                act = link.reset
            case _:
                return

        def fire() -> None:
            if toxic in self._toxics[way]:
                act()

        asyncio.get_running_loop().call_later(seconds, fire)

    async def _pump(self, link: Link, way: Way, source: asyncio.StreamReader) -> None:
        """Read ahead of the writer, so that latency delays data without throttling it."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(link, source, queue))
            group.create_task(self._write(link, way, queue))

    async def _read(
        self, link: Link, source: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        """Chunks with the time of their arrival; an empty one is the end."""
        loop, data = asyncio.get_running_loop(), b"first"
        while data:
            try:
                data = await source.read(_CHUNK)
            except ConnectionError:
                link.reset()
                data = b""
            await queue.put((loop.time(), data))

    async def _write(self, link: Link, way: Way, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        try:
            while True:
                arrived, data = await queue.get()
                await self._hold_back(arrived, way)
                if not data:
                    await self._end(link, way)
                    return
                await self._deliver(link, way, data)
        except (OSError, RuntimeError):  # the target is gone; so is the link, both ways
            link.reset()
            while (await queue.get())[1]:
                pass

    async def _hold_back(self, arrived: float, way: Way) -> None:
        for toxic in tuple(self._toxics[way]):
            if isinstance(toxic, Latency):
                due = arrived + toxic.seconds + self._random.uniform(-1, 1) * toxic.jitter
                await asyncio.sleep(due - asyncio.get_running_loop().time())

    async def _end(self, link: Link, way: Way) -> None:
        for toxic in tuple(self._toxics[way]):
            if isinstance(toxic, SlowClose):
                await asyncio.sleep(toxic.seconds)
        if link.target(way).can_write_eof():
            link.target(way).write_eof()

    async def _deliver(self, link: Link, way: Way, data: bytes) -> None:
        data, last_act = self._cut(link, way, data)
        for piece in self._slice(way, data):
            link.target(way).write(piece)
            await link.target(way).drain()
            link.passed[way] += len(piece)
            await self._pace(way, len(piece))
        match last_act:
            case LimitData():
                link.close()
            case ResetPeer():
                link.reset()
            case _:
                pass

    def _cut(self, link: Link, way: Way, data: bytes) -> tuple[bytes, Toxic | None]:
        """What may still pass, and the toxic that ends the connection with it, if one does."""
        last_act: Toxic | None = None
        for toxic in tuple(self._toxics[way]):
            match toxic:
                case Timeout():
                    return b"", None
                case LimitData(max_bytes=limit) | ResetPeer(after_bytes=int(limit)):
                    room = link.room(toxic, way, limit)
                    if room <= len(data):
                        data, last_act = data[:room], toxic
                case _:
                    pass
        return data, last_act

    def _slice(self, way: Way, data: bytes) -> Iterator[bytes]:
        position = 0
        while position < len(data):
            size = self._piece_size(way)
            yield data[position : position + size]
            position += size

    def _piece_size(self, way: Way) -> int:
        size = _CHUNK
        for toxic in self._toxics[way]:
            match toxic:
                case Slicer(size=wanted, variation=variation):
                    size = min(size, wanted + self._random.randint(-variation, variation))
                case Bandwidth(bytes_per_second=rate):
                    size = min(size, int(rate / 20))
                case _:
                    pass
        return max(size, 1)

    async def _pace(self, way: Way, size: int) -> None:
        for toxic in tuple(self._toxics[way]):
            match toxic:
                case Slicer(delay=delay) if delay:
                    await asyncio.sleep(delay)
                case Bandwidth(bytes_per_second=rate):
                    await asyncio.sleep(size / rate)
                case _:
                    pass
