"""The two planes: agents' requests, and those of people and their tools."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from ..core.policy import Policy
from ..core.push.addresses import AllowList
from ..metrics import Page
from ..proxy.admin_audit import AuditRoutes
from ..proxy.admin_budgets import BudgetRoutes
from ..proxy.admin_cancel import CancelRoutes
from ..proxy.admin_events import EventRoutes
from ..proxy.admin_explain import ExplainRoutes
from ..proxy.admin_freeze import FreezeRoutes
from ..proxy.admin_guard import AdminGuard
from ..proxy.admin_keys import KeyRoutes
from ..proxy.admin_metrics import MetricsRoutes
from ..proxy.admin_names import Names
from ..proxy.admin_past import PastRoutes
from ..proxy.admin_policy import PolicyRoutes
from ..proxy.admin_reap import ReapRoutes
from ..proxy.admin_report import ReportRoutes
from ..proxy.admin_routes import AdminPlane
from ..proxy.admin_sessions import SessionRoutes as AdminSessionRoutes
from ..proxy.admin_spans import SpanRoutes
from ..proxy.admin_tasks import TaskRoutes
from ..proxy.admin_tools import AdminToolRoutes
from ..proxy.admin_traces import TraceRoutes
from ..proxy.agent_routes import DataPlane
from ..proxy.assistants import Assistants
from ..proxy.coalescing import Coalescer
from ..proxy.doors import Doors, Serve
from ..proxy.explaining import Explainer
from ..proxy.foreign_pages import ForeignPages
from ..proxy.forwarding import Polls
from ..proxy.guard import Guard
from ..proxy.idempotency import Once
from ..proxy.incoming import Limits
from ..proxy.inside import Inside
from ..proxy.keeping import Keeper
from ..proxy.mcp_routes import McpRoutes
from ..proxy.otlp_routes import OtlpRoutes
from ..proxy.own_routes import OwnRoutes
from ..proxy.owners import Owners
from ..proxy.session_routes import SessionRoutes
from ..proxy.starts import Starts
from ..proxy.telling import Telling
from ..proxy.threads import Threads
from ..proxy.tool_routes import ToolRoutes
from ..proxy.unrecorded import Unrecorded
from ..proxy.webhooks import Webhooks
from ..proxy.websocket import WebSockets
from . import gating, policies, tools, upstreams
from .background import Background
from .base import Base
from .lifetimes import spawned
from .tools import Toolbox


async def data_plane(
    stack: AsyncExitStack, base: Base, background: Background, pages: ForeignPages
) -> DataPlane:
    coalescer = _coalescer(base)
    explainer = await _explainer(base, coalescer)
    assistants = Assistants(
        base.servers, now=base.clock.monotonic, guarded=base.service.guards_agents
    )
    starts = Starts(
        service=base.service,
        doubts=background.reconciler,
        follower=background.watcher,
        coalescer=coalescer,
        tidier=background.tidier,
        assistants=assistants,
        remaining=background.budgets.near,
        unrecorded=Unrecorded(service=base.service, now=base.clock.monotonic),
        webhooks=_webhooks(base),
    )
    telling = Telling(now=base.clock.monotonic)
    once = _once(stack, base)
    doors = Doors(
        starts=starts,
        assistants=assistants,
        doubts=background.reconciler,
        telling=telling,
        once=once,
    )
    limits = upstreams.limits(base.settings)
    owners = Owners(service=base.service, record=base.store)
    guard = Guard(owners=owners, service=base.service, servers=base.servers)
    inside = Inside()
    toolbox = tools.make(stack, base, background, inside)
    plane = DataPlane(
        service=base.service,
        store=base.store,
        upstreams=upstreams.names(base.settings),
        targets=upstreams.targets(
            base.settings,
            base.clients,
            base.own,
            base.clock,
            traced=background.tracer is not None,
        ),
        limits=limits,
        own=_own_routes(base, background, limits, toolbox, pages),
        starts=once(starts.serve),
        doors=doors,
        polls=Polls(base.service, coalescer, base.credentials, explainer, background.budgets.near),
        threads=Threads(
            service=base.service,
            store=base.store,
            follower=background.watcher,
            canceller=background.canceller,
            coalescer=coalescer,
            guard=guard,
        ),
        websockets=WebSockets(
            _LazySession(stack),
            doors=doors,
            telling=telling,
            origins=base.settings.allowed_origins,
        ),
        coalescer=coalescer,
        telling=telling,
        gate=gating.gate(base.settings, base.keyring, base.clock),
        guard=guard,
        now=base.clock.monotonic,
    )
    inside.handle = plane.handle_own
    return plane


def _own_routes(
    base: Base, background: Background, limits: Limits, toolbox: Toolbox, pages: ForeignPages
) -> OwnRoutes:
    """What is under /sidecar/."""
    return OwnRoutes(
        sessions=SessionRoutes(
            service=base.service, store=base.store, clock=base.clock, limits=limits
        ),
        otlp=OtlpRoutes(receiving=background.receiver, limits=limits),
        tools=ToolRoutes(tools=toolbox.tools, limits=limits),
        mcp=McpRoutes(door=toolbox.mcp, limits=limits),
        pages=pages,
        keyed=base.settings.auth,
    )


def admin_plane(
    base: Base, background: Background, plane: DataPlane, metrics: Page, guard: AdminGuard
) -> AdminPlane:
    names = Names(store=base.store, upstreams=upstreams.names(base.settings))
    return AdminPlane(
        service=base.service,
        store=base.store,
        ready=lambda: "the sidecar is stopping" if plane.draining else None,
        tasks=TaskRoutes(
            service=base.service,
            store=base.store,
            clock=base.clock,
            reachability=background.watcher,
            links=base.settings.trace_links,
        ),
        budgets=BudgetRoutes(service=base.service, store=base.store, clock=base.clock, names=names),
        keys=KeyRoutes(keyring=base.keyring, clock=base.clock, asked=base.settings.auth),
        freeze=FreezeRoutes(service=base.service, store=base.store, names=names),
        cancels=CancelRoutes(ender=background.ender, store=base.store),
        events=EventRoutes(service=base.service, store=base.store),
        policy=PolicyRoutes(
            policies=base.policies,
            reap_interval_s=base.settings.reap_interval.total_seconds(),
        ),
        explain=ExplainRoutes(
            service=base.service,
            store=base.store,
            clock=base.clock,
            upstreams=upstreams.names(base.settings),
        ),
        past=PastRoutes(store=base.store),
        reap=ReapRoutes(reaping=background.reaper),
        sessions=AdminSessionRoutes(service=base.service, store=base.store, clock=base.clock),
        spans=SpanRoutes(seen=background.seen),
        audit=AuditRoutes(auditor=background.auditor, upstreams=upstreams.names(base.settings)),
        tools=AdminToolRoutes(tools=plane.own.tools.tools, credentials=base.credentials.of),
        metrics=MetricsRoutes(written=metrics.written),
        traces=TraceRoutes(
            store=base.store,
            clock=base.clock,
            links=base.settings.trace_links,
            seen=background.seen,
        ),
        report=ReportRoutes(service=base.service, store=base.store, clock=base.clock),
        guard=guard,
        body_timeout_s=base.settings.body_timeout.total_seconds(),
    )


def _webhooks(base: Base) -> Webhooks | None:
    """Without a list nobody is judged while everyone is trusted; whoever needs a key has none."""
    allow = base.settings.webhook_allow
    if allow is None and not base.settings.auth:
        return None
    return Webhooks(allow or AllowList())


def _once(stack: AsyncExitStack, base: Base) -> Callable[[Serve], Once]:
    keeper = Keeper(replies=base.store, clock=base.clock, keep_bodies=base.settings.keep_purpose)
    spawned(stack, keeper.run(), name="expired answers")
    return partial(Once, keeper=keeper, servers=base.servers, clock=base.clock)


def _coalescer(base: Base) -> Coalescer:
    coalescer = Coalescer(0.0, now=base.clock.monotonic)
    base.service.observe(coalescer, began=coalescer.runs_began)

    def follow(policy: Policy) -> None:
        coalescer.share_for(policies.coalesce_s(base.settings, policy))

    base.policies.follow(follow)
    return coalescer


async def _explainer(base: Base, coalescer: Coalescer) -> Explainer | None:
    if not base.settings.explain_endings:
        return None
    explainer = Explainer(service=base.service, store=base.store, coalescer=coalescer)
    await explainer.load()
    base.service.observe(explainer, ends_only=True)
    base.service.cancels.observe(explainer)
    return explainer


class _LazySession:
    """The WebSocket client, made on first use: most sidecars never relay a socket."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._session: ClientSession | None = None

    def __call__(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=0),
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
            self._stack.push_async_callback(self._session.close)
        return self._session
