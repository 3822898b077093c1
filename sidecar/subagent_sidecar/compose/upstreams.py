"""From the settings of an upstream to what talks to it."""

from collections.abc import Mapping

from ..config import Settings, UpstreamSettings
from ..core.routing import UpstreamNames
from ..ports import AgentServer, Clock, Upstream
from ..proxy.calls import Target
from ..proxy.incoming import Limits
from ..tls import client_context
from ..upstream.agent import AgentClient
from ..upstream.pool import HttpUpstream


def client(upstream: UpstreamSettings, settings: Settings, clock: Clock) -> HttpUpstream:
    """Connections to it, shared by all who ask."""
    return HttpUpstream(
        host=upstream.host,
        port=upstream.port,
        display_url=upstream.url,
        now=clock.monotonic,
        ssl_context=client_context(upstream.tls_files) if upstream.tls else None,
        connect_timeout=settings.connect_timeout.total_seconds(),
    )


def server(upstream: UpstreamSettings, client: Upstream) -> AgentServer:
    """It as an Agent Protocol server, for what we ask on our own account."""
    return AgentClient(
        client,
        base=upstream.base.encode(),
        headers=[(b"Host", upstream.authority.encode()), *_own_headers(upstream)],
    )


def _own_headers(upstream: UpstreamSettings) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in upstream.headers)


def targets(
    settings: Settings, clients: Mapping[str, HttpUpstream], *, traced: bool
) -> dict[str, Target]:
    """Where requests go, by the upstream's name. `traced`: spans are exported."""
    front = b"http" if settings.tls is None else b"https"
    return {
        u.name: _target(u, clients[u.name], traced=traced, front=front) for u in settings.upstreams
    }


def _target(
    upstream: UpstreamSettings, client: HttpUpstream, *, traced: bool, front: bytes
) -> Target:
    return Target(
        name=upstream.name,
        client=client,
        meter=client.meter,
        base=upstream.base.encode(),
        host=None if upstream.preserve_host else upstream.authority.encode(),
        origin=upstream.origin.encode(),
        own=_own_headers(upstream),
        inject=upstream.inject,
        traced=traced,
        front=front,
        ssl_context=client.ssl_context,
    )


def names(settings: Settings) -> UpstreamNames:
    listed = {agent: u.name for u in reversed(settings.upstreams) for agent in u.agents}
    declared = {agent.name: agent.upstream for agent in settings.agents}
    return UpstreamNames(
        names=[upstream.name for upstream in settings.upstreams],
        agents={**declared, **listed},
        default=settings.default_upstream,
    )


def limits(settings: Settings) -> Limits:
    return Limits(
        start_timeout_s=settings.start_timeout.total_seconds(),
        answer_timeout_s=settings.answer_timeout.total_seconds(),
        body_timeout_s=settings.body_timeout.total_seconds(),
        max_body=settings.max_body,
        inspect_limit=settings.inspect_limit,
    )
