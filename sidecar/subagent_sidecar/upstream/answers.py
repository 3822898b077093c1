"""What `send` returns: `ports.Exchange`, once as a whole and once as a stream."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol

from ..errors import UpstreamBroken
from .reading import AnswerReader

HIGH_WATER: Final = 256 * 1024
"""Bytes of body that may wait for a slow reader before the socket is no longer read."""


class Source(Protocol):
    """The connection a body comes from, as far as its reader is concerned."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def abort(self) -> None: ...


class WholeAnswer:
    """An answer that is all there; its connection already serves others."""

    __slots__ = ("body", "headers", "reason", "status", "trailers", "waited_s")

    def __init__(self, read: AnswerReader) -> None:
        self.status = read.status
        self.reason = read.reason
        self.headers = read.headers
        self.trailers = read.trailers
        self.waited_s = 0.0
        parts = read.parts
        self.body: bytes | None = parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.body:
            yield self.body

    def abort(self) -> None:
        """Nothing is left to drop."""


class StreamedAnswer:
    """An answer whose body is still coming; `trailers` are complete when `chunks` has ended.

    The connection puts bytes into the shared list of parts and then calls `grew`.
    """

    def __init__(self, read: AnswerReader, source: Source) -> None:
        self.status = read.status
        self.reason = read.reason
        self.headers = read.headers
        self.trailers = read.trailers
        self.waited_s = 0.0
        self.body: bytes | None = None
        self._parts = read.parts
        self._size = sum(map(len, read.parts))
        self._source: Source | None = source
        self._error: Exception | None = None
        self._wakeup: asyncio.Future[None] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while self._parts or self._source is not None:
                if self._parts:
                    yield self._take()
                else:
                    self._wakeup = asyncio.get_running_loop().create_future()
                    await self._wakeup
            if self._error is not None:
                raise self._error
        finally:
            self.abort()

    def abort(self) -> None:
        if self._source is not None:
            self._source.abort()
            self.end(UpstreamBroken("the answer was abandoned by its reader"))

    def grew(self, size: int) -> None:
        """`size` more bytes came, framing included."""
        self._size += size
        if self._size > HIGH_WATER and self._source is not None:
            self._source.pause()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """No more will come. The reader still gets what is here, and then `error`."""
        self._source = None
        self._error = error
        self._wake()

    def _take(self) -> bytes:
        parts = self._parts
        piece = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._size = 0
        if self._source is not None:
            self._source.resume()
        return piece

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)


Answer = WholeAnswer | StreamedAnswer
