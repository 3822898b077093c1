"""From the settings of an upstream to what talks to it."""

from collections.abc import Mapping

from ..config import Settings, UpstreamSettings
from ..core.routing import UpstreamNames
from ..own_fields import OwnFields
from ..ports import AgentServer, Clock, Upstream
from ..proxy.calls import Target
from ..proxy.crossing import Crossing
from ..proxy.denials import Denials
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


def server(upstream: UpstreamSettings, client: Upstream, own: OwnFields) -> AgentServer:
    """It as an Agent Protocol server, for what we ask on our own account."""
    return AgentClient(
        client,
        base=upstream.base.encode(),
        host=upstream.authority.encode(),
        own=own,
    )


def targets(
    settings: Settings,
    clients: Mapping[str, HttpUpstream],
    own: Mapping[str, OwnFields],
    clock: Clock,
    *,
    traced: bool,
) -> dict[str, Target]:
    """Where requests go, by the upstream's name. `traced`: spans are exported."""
    denials = Denials(clock.monotonic)
    front = b"http" if settings.tls is None else b"https"
    found = {}
    for upstream in settings.upstreams:
        crossing = _crossing(upstream, own[upstream.name], keyed=settings.auth)
        found[upstream.name] = _target(
            upstream,
            clients[upstream.name],
            crossing,
            denials=denials if crossing.withheld else None,
            traced=traced,
            front=front,
        )
    return found


def _crossing(upstream: UpstreamSettings, own: OwnFields, *, keyed: bool) -> Crossing:
    """With keys a client's credentials are for us; without, for the server."""
    passed = upstream.pass_client_credentials
    return Crossing(
        own,
        withheld=keyed if passed is None else not passed,
        keyed=keyed,
        allowed=upstream.forward_headers,
    )


def _target(
    upstream: UpstreamSettings,
    client: HttpUpstream,
    crossing: Crossing,
    *,
    denials: Denials | None,
    traced: bool,
    front: bytes,
) -> Target:
    return Target(
        name=upstream.name,
        client=client,
        meter=client.meter,
        base=upstream.base.encode(),
        host=None if upstream.preserve_host else upstream.authority.encode(),
        origin=upstream.origin.encode(),
        crossing=crossing,
        denials=denials,
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
