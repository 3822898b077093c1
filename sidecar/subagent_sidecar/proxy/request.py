"""A request on the data plane, whichever way it came: by the plain way (`plain`), by aiohttp's
(`data_protocol`), or from inside this process (`inside`)."""

import asyncio
from typing import Any, Protocol

from aiohttp import HttpVersion, HttpVersion11
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from ..core.metrics.traffic import OWN
from ..core.principal import ANONYMOUS, Principal

RawFields = tuple[tuple[bytes, bytes], ...]


class Connection(Protocol):
    """What a request asks of the connection that it came on. A client that leaves ends its
    request, unless it is `held`; once `stopping`, the next answer is the last one."""

    held: bool
    stopping: bool

    @property
    def transport(self) -> asyncio.Transport | None:
        """None once the client has left."""

    @property
    def writing_paused(self) -> bool:
        """Whether the client does not take what it is sent."""

    async def drain(self) -> None:
        """Wait until it does."""

    def let_in(self, key_id: str) -> int:
        """See DataRequest.let_in."""


class DataRequest:
    """Its target is exactly as it stood in the request line, and so are its fields, but for what
    `let_in` takes off and the Content-Length of plain requests: that is `content_length`."""

    __slots__ = (
        "_keeps",
        "act",
        "body",
        "connection",
        "content",
        "content_length",
        "headers",
        "known",
        "method",
        "peer_host",
        "principal",
        "raw_headers",
        "raw_target",
        "timed",
        "version",
        "waited_s",
    )

    def __init__(
        self,
        connection: Connection,
        method: str,
        raw_target: str,
        *,
        raw_headers: RawFields,
        headers: CIMultiDictProxy[str],
        peer_host: bytes,
        known: dict[Any, Any],
        content_length: int | None = None,
        body: bytes | None = None,
        content: StreamReader | None = None,
        version: HttpVersion = HttpVersion11,
        keeps: bool = True,
    ) -> None:
        self.connection = connection
        self.method = method
        self.raw_target = raw_target
        self.raw_headers = raw_headers
        self.headers = headers
        self.known: dict[Any, Any] = known
        """What was worked out of these header fields before; shared by requests whose fields are
        byte for byte equal; empty and its own for the rest."""
        self.peer_host = peer_host
        """The client's address, for X-Forwarded-For."""
        self.content_length = content_length
        self.body = body
        """All of the body where it came with the request; else it is in `content`, or there is
        none."""
        self.content = content
        self.version = version
        self._keeps = keeps
        self.principal: Principal = ANONYMOUS
        """Who asks."""
        self.act: str = OWN
        """What it does, once that is known."""
        self.waited_s = 0.0
        """How long it has waited for an upstream."""
        self.timed = True
        """Whether all the other time that its answer took was ours."""

    def let_in(self, principal: Principal, key_id: str, *, less: frozenset[bytes]) -> int:
        """It is `principal`'s, for as long as the key is good. The fields called `less` (in lower
        case) carried it, and are gone from here on. The answer is how many requests of this key
        are being served now."""
        self.principal = principal
        rest = self.known.get(less)
        if rest is None:
            rest = self.known[less] = _without(less, self.raw_headers, self.headers)
        self.raw_headers, self.headers, self.known = rest
        return self.connection.let_in(key_id)

    @property
    def body_exists(self) -> bool:
        return self.body is not None or self.content is not None

    @property
    def transport(self) -> asyncio.Transport | None:
        return self.connection.transport

    @property
    def keep_alive(self) -> bool:
        return self._keeps and not self.connection.stopping

    def hold(self) -> None:
        """From now on a client that leaves does not end its request."""
        self.connection.held = True

    def let_go(self) -> None:
        """End `hold`. Raises ConnectionResetError if the client has left meanwhile."""
        self.connection.held = False
        if self.connection.transport is None:
            raise ConnectionResetError("the client left")


def _without(
    less: frozenset[bytes], raw_headers: RawFields, headers: CIMultiDictProxy[str]
) -> tuple[RawFields, CIMultiDictProxy[str], dict[Any, Any]]:
    """The fields without those called `less`, and what is known of these."""
    named = CIMultiDict(headers)
    for name in less:
        del named[name.decode()]
    raw = tuple(field for field in raw_headers if field[0].lower() not in less)
    return raw, CIMultiDictProxy(named), {}
