"""An agent server as the proxy speaks to it: requests and answers, byte for byte."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ..core.quick import quick

Headers = Sequence[tuple[bytes, bytes]]
"""Raw header fields in wire order: case and duplicates as they came."""


class Repeated(list[tuple[bytes, bytes]]):
    """Header fields that are met again and again, and so are not to be changed. `known` is what
    was worked out of them before."""

    __slots__ = ("known",)

    def __init__(self, fields: Headers) -> None:
        super().__init__(fields)
        self.known: dict[Any, Any] = {}


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One request to an upstream, exactly as it goes on the wire.

    `target` is the raw request target (origin form, percent-encoding untouched), base path of the
    upstream included. `headers` are end-to-end fields, `Host` included, without any framing field:
    `Content-Length` and `Transfer-Encoding` are made from `body`. `body` is None (no body, no
    framing), bytes (also b"": `Content-Length: 0`) or a stream, sent chunked unless `length` says
    how many bytes will come. `written`, where it is known, is `as_written(headers)`.
    `first_byte_timeout` in seconds (None: wait for ever) runs from the
    moment the request was written. `replayable` marks requests that may be sent a second time when
    a kept-alive connection turns out to be dead.
    """

    method: bytes
    target: bytes
    headers: Headers
    body: bytes | AsyncIterator[bytes] | None = None
    length: int | None = None
    first_byte_timeout: float | None = None
    replayable: bool = False
    written: bytes | None = None


def as_written(headers: Headers) -> bytes:
    """Header fields as they stand on the wire, each with the end of its line."""
    known = headers.known if isinstance(headers, Repeated) else None
    if known is not None and (before := known.get(as_written)) is not None:
        return cast(bytes, before)
    lines = b"\r\n".join(map(b": ".join, headers)) + b"\r\n" if headers else b""
    if known is not None:
        known[as_written] = lines
    return lines


class Exchange(Protocol):
    """The answer to an `Outgoing`, from its head on.

    `headers` are raw, as received. `body` holds the whole body when it arrived together with the
    head, else None: then iterate `chunks()`, which yields pieces as they come, unbuffered and with
    flow control, and raises `UpstreamBroken` when the server stops before the end. Every exchange
    is either read to its end or aborted. `waited_s` is how long its head was waited for.
    """

    @property
    def waited_s(self) -> float: ...

    @property
    def status(self) -> int: ...

    @property
    def reason(self) -> bytes: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def body(self) -> bytes | None: ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    def abort(self) -> None:
        """Drop the connection at once; the server sees the client go away."""


class Upstream(Protocol):
    """One agent server."""

    async def send(self, request: Outgoing) -> Exchange:
        """Send and wait for the head of the answer (1xx are swallowed).

        Raises UpstreamUnreachable (nothing was sent), UpstreamTimeout, UpstreamBroken. Being
        cancelled drops the connection.
        """

    async def aclose(self) -> None: ...
