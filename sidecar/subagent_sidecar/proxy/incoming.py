"""Reading request bodies: whole where they must be understood, as a stream everywhere else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp.web import RequestPayloadError

from ..core.quick import quick
from ..errors import BodyTimeout, BodyTooLarge, RequestError
from .request import DataRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Timeouts in seconds, sizes in bytes. `inspect_limit` bounds bodies that are understood."""

    start_timeout_s: float
    answer_timeout_s: float
    body_timeout_s: float
    max_body: int
    inspect_limit: int


@quick
@dataclass(frozen=True, slots=True)
class Incoming:
    """A request's body: `whole` if it was read to its end, else `stream` yields all of it.

    `length` is what Content-Length announced, for streams that did.
    """

    whole: bytes | None
    stream: AsyncIterator[bytes] | None = None
    length: int | None = None

    @property
    def body(self) -> bytes | AsyncIterator[bytes] | None:
        return self.whole if self.stream is None else self.stream


NOTHING = Incoming(None)
_EMPTY = Incoming(b"")


def at_hand(request: DataRequest, limits: Limits) -> Incoming | None:
    """The body of a request, if there is nothing to wait for. Raises BodyTooLarge."""
    if request.content is not None:
        return None
    if request.body is None:
        return _EMPTY if request.content_length == 0 else NOTHING
    if len(request.body) > limits.max_body:
        raise _too_large(len(request.body), limits)
    return Incoming(request.body)


async def read(request: DataRequest, limits: Limits, *, understand: bool) -> Incoming:
    """The body of a request. With `understand` it is read whole, up to `inspect_limit`; without,
    only what has already arrived is.

    Raises BodyTooLarge when Content-Length announces more than `max_body`, BodyTimeout when a
    body that must be read whole stops coming, RequestError when its framing breaks. A stream
    raises the same on its way.
    """
    content, length = request.content, request.content_length
    if content is None:
        return at_hand(request, limits) or NOTHING
    if length is not None and length > limits.max_body:
        raise _too_large(length, limits)
    if content.is_eof() and content.total_bytes <= limits.max_body:
        return Incoming(content.read_nowait(-1))
    _answer_expectation(request)
    pieces = _pieces(request, limits)
    if not understand or (length is not None and length > limits.inspect_limit):
        return Incoming(None, pieces, length)
    return await _whole(pieces, length, limits.inspect_limit)


def _too_large(length: int, limits: Limits) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body has {length} bytes and the limit is {limits.max_body} (max_body)"
    )


def _answer_expectation(request: DataRequest) -> None:
    """Tell a client that waits for leave to send its body to go ahead."""
    if "expect" not in request.headers or request.version < (1, 1):
        return
    if request.headers["expect"].lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _whole(pieces: AsyncIterator[bytes], length: int | None, limit: int) -> Incoming:
    parts: list[bytes] = []
    total = 0
    async for piece in pieces:
        parts.append(piece)
        total += len(piece)
        if total > limit:
            return Incoming(None, _again(parts, pieces), length)
    return Incoming(b"".join(parts))


async def _again(parts: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    parts.clear()
    async for piece in rest:
        yield piece


async def _pieces(request: DataRequest, limits: Limits) -> AsyncIterator[bytes]:
    content = request.content
    assert content is not None
    total = 0
    while True:
        try:
            async with asyncio.timeout(limits.body_timeout_s):
                piece = await content.readany()
        except TimeoutError as error:
            raise BodyTimeout(
                f"the body stopped coming for {limits.body_timeout_s:g} s after {total} bytes"
            ) from error
        except RequestPayloadError as error:
            raise RequestError("the framing of the body is broken") from error
        if not piece:
            return
        total += len(piece)
        if total > limits.max_body:
            raise BodyTooLarge(f"the body is longer than {limits.max_body} bytes (max_body)")
        yield piece
