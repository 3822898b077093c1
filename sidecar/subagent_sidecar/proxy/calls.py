"""One request on the data plane, as far as it is understood; and where it can go."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..core.idempotency import Claim
from ..core.metrics.meters import UpstreamMeter
from ..core.model import Intent
from ..core.trace_ids import sampled_parent
from ..core.wire import Meaning
from ..errors import BadHeader
from ..ports import Exchange, Outgoing, ServerRun, Upstream
from . import headers
from .crossing import Crossing
from .denials import Denials
from .incoming import Incoming, Limits
from .server import DataRequest

_REQUEST_ID = 128
_REPLAYABLE = frozenset({b"GET", b"HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An upstream as the data plane uses it."""

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
    fields: tuple[headers.Field, ...] = field(init=False)
    _sent_on: list[headers.Field] = field(init=False)
    _auth: list[headers.Field] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Raises BadHeader and BadTarget: before anything is done about a request that cannot be
        sent on."""
        request = self.request
        self.fields = request.raw_headers
        if request.version.minor == 0 and "transfer-encoding" in request.headers:
            raise BadHeader("HTTP/1.0 has no transfer codings")
        self.target.crossing.check(self.raw_target)
        self._sent_on = self.target.crossing.out(
            self.fields,
            host=self.target.host,
            peer=request.peer_host,
            scheme=self.target.front,
        )

    @property
    def agents(self) -> tuple[str, ...]:
        """Globs of what the caller may start; empty: all."""
        return self.request.principal.only

    @property
    def supervisor(self) -> str:
        return self.request.principal.supervisor

    @property
    def header_session(self) -> str | None:
        return headers.text(self.request.headers.get("x-subagent-session"))

    @property
    def request_id(self) -> str | None:
        """The client's own, if it sent one that can be kept and found again."""
        given = self.request.headers.getall("x-request-id", [])
        if len(given) != 1 or len(given[0]) > _REQUEST_ID:
            return None
        value = headers.text(given[0])
        return value if value is not None and value.isascii() and value.isprintable() else None

    @property
    def trace_parent(self) -> str | None:
        """The trace context the client is in, if it named one, and it is recorded."""
        given = self.request.headers.getall("traceparent", [])
        return sampled_parent(given[0]) if len(given) == 1 else None

    @property
    def auth(self) -> list[headers.Field]:
        """What to present upstream when asking on this caller's behalf: nothing that does not go on
        with its request."""
        if self._auth is None:
            self._auth = self.target.crossing.credentials(self._sent_on)
        return self._auth

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
        return Outgoing(
            method=method,
            target=self.target.base + self.raw_target.encode("utf-8", "surrogateescape"),
            headers=self._with(extra) if extra else self._sent_on,
            body=sent,
            length=self.incoming.length,
            first_byte_timeout=timeout,
            replayable=sent is None and method in _REPLAYABLE,
        )

    def _with(self, extra: Sequence[headers.Field]) -> list[headers.Field]:
        replaced = [name for name, _ in extra if name.decode("latin-1") in self.request.headers]
        if not replaced:
            return [*self._sent_on, *extra]
        kept = (field for field in self._sent_on if field[0].lower() not in replaced)
        return [*kept, *extra]

    def answer_fields(self, exchange: Exchange) -> tuple[list[headers.Field], bytes | None]:
        """The answer's header for the client, and its Content-Length. Absolute Locations at the
        upstream point here instead."""
        fields, length = self.target.crossing.back(exchange.headers, self._relocated)
        if self.budget is not None:
            fields.append((headers.BUDGET, self.budget))
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
