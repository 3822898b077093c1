"""The two planes: agents' requests, and those of people and their tools."""

from contextlib import AsyncExitStack

from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from ..proxy.admin_cancel import CancelRoutes
from ..proxy.admin_events import EventRoutes
from ..proxy.admin_routes import AdminPlane
from ..proxy.agent_routes import DataPlane
from ..proxy.coalescing import Coalescer
from ..proxy.explaining import Explainer
from ..proxy.forwarding import Polls
from ..proxy.starts import Starts
from ..proxy.telling import Telling
from ..proxy.threads import Threads
from ..proxy.websocket import WebSockets
from . import upstreams
from .background import Background
from .base import Base


async def data_plane(stack: AsyncExitStack, base: Base, background: Background) -> DataPlane:
    coalescer = Coalescer(base.settings.coalesce.total_seconds(), now=base.clock.monotonic)
    base.service.observe(coalescer)
    explainer = await _explainer(base, coalescer)
    return DataPlane(
        service=base.service,
        store=base.store,
        upstreams=upstreams.names(base.settings),
        targets=upstreams.targets(base.settings, base.clients),
        limits=upstreams.limits(base.settings),
        starts=Starts(
            service=base.service,
            doubts=background.reconciler,
            follower=background.watcher,
            coalescer=coalescer,
        ),
        polls=Polls(base.service, coalescer, base.credentials, explainer),
        threads=Threads(
            service=base.service,
            store=base.store,
            follower=background.watcher,
            canceller=background.canceller,
            coalescer=coalescer,
        ),
        websockets=WebSockets(_LazySession(stack)),
        coalescer=coalescer,
        telling=Telling(now=base.clock.monotonic),
    )


def admin_plane(base: Base, background: Background, plane: DataPlane) -> AdminPlane:
    return AdminPlane(
        service=base.service,
        store=base.store,
        clock=base.clock,
        ready=lambda: "the sidecar is stopping" if plane.draining else None,
        reachability=background.watcher,
        cancels=CancelRoutes(ender=background.ender, store=base.store),
        events=EventRoutes(service=base.service, store=base.store),
    )


async def _explainer(base: Base, coalescer: Coalescer) -> Explainer | None:
    if not base.settings.explain_endings:
        return None
    explainer = Explainer(service=base.service, store=base.store, coalescer=coalescer)
    await explainer.load()
    base.service.observe(explainer)
    base.service.observe_cancels(explainer)
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
