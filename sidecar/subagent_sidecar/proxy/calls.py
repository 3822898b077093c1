"""One request on the data plane, as far as it is understood; and where it can go."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..core.idempotency import Claim
from ..core.metrics.meters import UpstreamMeter
from ..core.model import Intent
from ..core.wire import Meaning
from ..errors import BadHeader
from ..ports import Exchange, Headers, Outgoing, ServerRun, Upstream, as_written
from . import headers
from .crossed import Crossed, Told, sharing, told
from .crossing import Crossing
from .denials import Denials
from .incoming import Incoming, Limits
from .request import DataRequest

_REPLAYABLE = frozenset({b"GET", b"HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """An upstream as the data plane uses it. There is one of each, and it equals no other."""

    name: str
    client: Upstream
    meter: UpstreamMeter
    base: bytes
    host: bytes | None
    origin: bytes
    crossing: Crossing
    inject: bool
    traced: bool = False
    """Whether the run's span is going to be exported, so that a server's own may be under it."""
    front: bytes = b"http"
    """The scheme by which clients come here."""
    ssl_context: ssl.SSLContext | None = None
    """What TLS to it goes by; None: there is none."""
    denials: Denials | None = None
    """Is told where it refuses credentials of ours; None: they are its clients'."""


class Witness(Protocol):
    """Is told what becomes of one start; with a `claim` it is made only if it was not made before.
    Called in its midst: methods only take note and never raise."""

    @property
    def claim(self) -> Claim | None: ...

    def admitted(self, intent: Intent) -> None: ...

    def accepted(self, runs: Sequence[ServerRun]) -> None:
        """The server took it."""

    def came_to_nothing(self) -> None: ...

    def answered(self, exchange: Exchange, body: bytes) -> None:
        """All of the server's answer is there. May be told twice."""


class _Nobody:
    """The witness of a start that anybody may make again."""

    claim = None

    def admitted(self, intent: Intent) -> None:
        pass

    def accepted(self, runs: Sequence[ServerRun]) -> None:
        pass

    def came_to_nothing(self) -> None:
        pass

    def answered(self, exchange: Exchange, body: bytes) -> None:
        pass


_NOBODY = _Nobody()


@dataclass(slots=True, kw_only=True)
class Call:
    """`raw_target` is what goes upstream: as the client sent it, less our own prefix."""

    request: DataRequest
    raw_target: str
    prefix: str | None
    meaning: Meaning
    target: Target
    limits: Limits
    incoming: Incoming
    witness: Witness = _NOBODY
    budget: bytes | None = None
    """What the answer says of budgets that are nearly spent."""
    _crossed: Crossed = field(init=False)

    def __post_init__(self) -> None:
        """Raises BadHeader and BadTarget: before anything is done about a request that cannot be
        sent on."""
        request, crossing = self.request, self.target.crossing
        if request.version.minor == 0 and "transfer-encoding" in request.headers:
            raise BadHeader("HTTP/1.0 has no transfer codings")
        if crossing.keyed:
            crossing.check(self.raw_target)
        self._crossed = _crossed(request, self.target)

    @property
    def fields(self) -> tuple[headers.Field, ...]:
        return self.request.raw_headers

    @property
    def agents(self) -> tuple[str, ...]:
        """Globs of what the caller may start; empty: all."""
        return self.request.principal.only

    @property
    def supervisor(self) -> str:
        return self.request.principal.supervisor

    @property
    def told(self) -> Told:
        """What its fields say to us."""
        return self._crossed.told or self._tell()

    def _tell(self) -> Told:
        self._crossed.told = found = told(self.request.headers)
        return found

    @property
    def auth(self) -> Headers:
        """What to present upstream when asking on this caller's behalf: nothing that does not go on
        with its request."""
        crossed = self._crossed
        if crossed.auth is None:
            crossed.auth = tuple(self.target.crossing.credentials(crossed.fields))
        return crossed.auth

    @property
    def sharing(self) -> tuple[headers.Field, ...]:
        """See `crossed.sharing`."""
        crossed = self._crossed
        if crossed.sharing is None:
            crossed.sharing = sharing(self.fields)
        return crossed.sharing

    def outgoing(
        self,
        *,
        body: bytes | None = None,
        timeout: float | None = None,
        extra: Sequence[headers.Field] = (),
    ) -> Outgoing:
        """The request as it goes upstream. `body` replaces the client's, and `extra` fields (in
        lower case) those of the same name."""
        method = self.request.method.encode()
        sent = self.incoming.body if body is None else body
        crossed = self._crossed
        fields, written = crossed.fields, crossed.written
        if extra:
            if replaced := self._replaced(extra):
                fields = tuple(field for field in fields if field[0].lower() not in replaced)
                written = as_written(fields)
            fields = (*fields, *extra)
            written += as_written(extra)
        return Outgoing(
            method=method,
            target=self.target.base + self.raw_target.encode("utf-8", "surrogateescape"),
            headers=fields,
            body=sent,
            length=self.incoming.length,
            first_byte_timeout=timeout,
            replayable=sent is None and method in _REPLAYABLE,
            written=written,
        )

    def _replaced(self, extra: Sequence[headers.Field]) -> Sequence[bytes]:
        """Which of these the client sent itself."""
        crossed = self._crossed
        names = crossed.names
        if names is None:
            names = crossed.names = frozenset(
                [name.lower() for name, _ in self.request.raw_headers]
            )
        for name, _ in extra:
            if name in names:  # few do
                return [name for name, _ in extra if name in names]
        return ()

    def answer_fields(self, exchange: Exchange) -> tuple[Headers, bytes | None]:
        """The answer's header for the client, and its Content-Length. Absolute Locations at the
        upstream point here instead."""
        fields, length = self.target.crossing.back(exchange.headers, self._relocated)
        if self.budget is not None:
            fields = [*fields, (headers.BUDGET, self.budget)]
        return fields, length

    def _relocated(self, value: bytes) -> bytes:
        server = self.target.origin + self.target.base
        if not value.startswith(server):
            return value
        path = value[len(server) :]
        if path and path[:1] not in b"/?#":
            return value
        host = headers.first(self.fields, b"host") or b""
        prefix = f"/to/{self.prefix}".encode() if self.prefix is not None else b""
        return self.target.front + b"://" + host + prefix + path if host else prefix + path


_PEERS = 8
"""So many clients' addresses are known of those who send equal fields."""


def _crossed(request: DataRequest, target: Target) -> Crossed:
    """What goes up of a request's fields. Raises BadHeader."""
    crossing, peer = target.crossing, request.peer_host
    by_peer: dict[bytes, Crossed] | None = request.known.get(target)
    if by_peer is None:
        by_peer = request.known[target] = {}
    found = by_peer.get(peer)
    own = crossing.own.fields
    if found is None or found.own is not own:
        if found is not None or len(by_peer) >= _PEERS:
            by_peer.clear()  # with the upstream's own fields that were renewed, all of the old go
        fields = crossing.out(request.raw_headers, host=target.host, peer=peer, scheme=target.front)
        found = by_peer[peer] = Crossed(fields, own)
    return found
