"""The composition root: which class stands behind which port, and who owns whose lifetime.

Nothing else in the project constructs an edge. Lifetimes are entered on one AsyncExitStack in the
order in which they depend on one another, and left in the reverse one.
"""

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, http_parser, web

from .canceller import RunCanceller, TaskCanceller
from .clock import SystemClock
from .config import Settings, UpstreamSettings
from .config_values import Address
from .core.cancel import Rollback
from .core.routing import UpstreamNames
from .credentials import Credentials
from .errors import ConfigError, StoreError
from .ports import Clock, Store, Upstream
from .pricing import Prices
from .proxy.admin_cancel import CancelRoutes
from .proxy.admin_events import EventRoutes
from .proxy.admin_routes import AdminPlane
from .proxy.agent_routes import DataPlane
from .proxy.calls import Target
from .proxy.coalescing import Coalescer
from .proxy.explaining import Explainer
from .proxy.forwarding import Polls
from .proxy.incoming import Limits
from .proxy.server import DataServer
from .proxy.starts import Starts
from .proxy.threads import Threads
from .proxy.websocket import WebSockets
from .reconciler import Reconciler
from .retention import Retention
from .service import Service
from .store.driver import version
from .store.memory import MemoryStore
from .store.sqlite import SqliteStore
from .tasks import spawn
from .upstream.agent import AgentClient
from .upstream.pool import HttpUpstream
from .usage_reader import UsageReader
from .watcher import Watcher

_log = logging.getLogger(__name__)

_BACKLOG = 2_048
_STORE_FLUSH_S = 5.0


@dataclass(frozen=True)
class Listeners:
    """Bound sockets, passed in so that tests choose their own."""

    data: socket.socket
    admin: socket.socket

    @property
    def data_url(self) -> str:
        return Address(*self.data.getsockname()[:2]).url

    @property
    def admin_url(self) -> str:
        return Address(*self.admin.getsockname()[:2]).url


def bind(settings: Settings) -> Listeners:
    """Bind both ports. Raises ConfigError naming the one that is taken."""
    return Listeners(
        data=_bind(settings.listen, "--listen"),
        admin=_bind(settings.admin_listen, "--admin-listen"),
    )


def _bind(address: Address, flag: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            [f"{flag} {address.host}:{address.port}: {error.strerror}; choose another with {flag}"]
        ) from error
    return sock


@asynccontextmanager
async def running(
    settings: Settings, listeners: Listeners, *, clock: Clock | None = None
) -> AsyncIterator[DataPlane]:
    """A sidecar that serves while the context is open, and has drained when it is closed.

    `clock` is for tests that set it; the default is the machine's.
    Raises StoreError when the store cannot be opened, ConfigError when this build of aiohttp
    cannot be trusted with requests.
    """
    _refuse_lenient_parser()
    _raise_file_limit()
    async with AsyncExitStack() as stack:
        clock = clock or SystemClock()
        store = await _open_store(settings.store)
        stack.push_async_callback(_close_store, store)
        service = Service(store=store, clock=clock, keep_purpose=settings.keep_purpose)
        stack.push_async_callback(_flush, service)
        clients: dict[str, Upstream] = {}
        for upstream in settings.upstreams:
            client = clients[upstream.name] = _client(upstream, settings, clock)
            stack.push_async_callback(client.aclose)
        servers = {
            upstream.name: AgentClient(
                clients[upstream.name],
                base=upstream.base.encode(),
                headers=[(b"Host", upstream.authority.encode()), *_own_headers(upstream)],
            )
            for upstream in settings.upstreams
        }
        credentials = Credentials()
        watcher = Watcher(
            service=service, store=store, clock=clock, servers=servers, credentials=credentials
        )
        stack.push_async_callback(watcher.aclose)
        reconciler = Reconciler(
            service=service,
            store=store,
            clock=clock,
            servers=servers,
            patience=settings.start_timeout + timedelta(seconds=5),
        )
        usage = UsageReader(
            service=service,
            store=store,
            clock=clock,
            servers=servers,
            credentials=credentials,
            cost=Prices(settings.prices).cost,
            interval_s=settings.usage_interval.total_seconds(),
        )
        service.observe(usage)
        stack.push_async_callback(usage.aclose)
        canceller = RunCanceller(
            service=service,
            store=store,
            clock=clock,
            servers=servers,
            credentials=credentials,
            verify_for=settings.cancel_verify_for,
            rollback=Rollback(settings.cancel_rollback),
        )
        stack.push_async_callback(canceller.aclose)
        ender = TaskCanceller(
            runs=canceller,
            service=service,
            store=store,
            servers=servers,
            credentials=credentials,
        )
        coalescer = Coalescer(settings.coalesce.total_seconds(), now=clock.monotonic)
        service.observe(coalescer)
        explainer = await _explainer(settings, service, store, coalescer)
        plane = DataPlane(
            service=service,
            store=store,
            upstreams=_names(settings),
            targets={u.name: _target(u, clients[u.name]) for u in settings.upstreams},
            limits=_limits(settings),
            starts=Starts(
                service=service,
                doubts=reconciler,
                follower=watcher,
                coalescer=coalescer,
                credentials=credentials,
            ),
            polls=Polls(service, coalescer, credentials, explainer),
            threads=Threads(
                service=service,
                store=store,
                follower=watcher,
                canceller=canceller,
                coalescer=coalescer,
            ),
            websockets=WebSockets(_lazy_session(stack)),
            coalescer=coalescer,
        )
        watcher.start()
        usage.start()
        loop_task = spawn(reconciler.run(), name="reconciler")
        stack.push_async_callback(_cancelled, loop_task)
        resuming = spawn(canceller.resume(), name="resume cancels")
        stack.push_async_callback(_cancelled, resuming)
        admin = AdminPlane(
            service=service,
            store=store,
            clock=clock,
            ready=lambda: "the sidecar is stopping" if plane.draining else None,
            reachability=watcher,
            cancels=CancelRoutes(ender=ender, store=store),
            events=EventRoutes(service=service, store=store),
        )
        _prune(stack, settings, store, clock)
        await _serve_admin(stack, admin, listeners.admin)
        await _serve_data(stack, plane, settings, listeners.data)
        yield plane
        plane.draining = True


async def _explainer(
    settings: Settings, service: Service, store: Store, coalescer: Coalescer
) -> Explainer | None:
    if not settings.explain_endings:
        return None
    explainer = Explainer(service=service, store=store, coalescer=coalescer)
    await explainer.load()
    service.observe(explainer)
    service.observe_cancels(explainer)
    return explainer


def _prune(stack: AsyncExitStack, settings: Settings, store: Store, clock: Clock) -> None:
    """Have old tasks forgotten, unless everything is to be kept."""
    if settings.retention:
        retention = Retention(store=store, clock=clock, keep=settings.retention)
        stack.push_async_callback(_cancelled, spawn(retention.run(), name="retention"))


async def _open_store(url: str) -> Store:
    if url == "memory:":
        return MemoryStore()
    return await SqliteStore.open(Path(url.removeprefix("sqlite:///")))


def _client(upstream: UpstreamSettings, settings: Settings, clock: Clock) -> HttpUpstream:
    return HttpUpstream(
        host=upstream.host,
        port=upstream.port,
        display_url=upstream.url,
        now=clock.monotonic,
        ssl_context=ssl.create_default_context() if upstream.tls else None,
        connect_timeout=settings.connect_timeout.total_seconds(),
    )


def _own_headers(upstream: UpstreamSettings) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in upstream.headers)


def _target(upstream: UpstreamSettings, client: Upstream) -> Target:
    return Target(
        name=upstream.name,
        client=client,
        base=upstream.base.encode(),
        host=None if upstream.preserve_host else upstream.authority.encode(),
        origin=upstream.origin.encode(),
        own=_own_headers(upstream),
        inject=upstream.inject,
    )


def _names(settings: Settings) -> UpstreamNames:
    return UpstreamNames(
        names=[upstream.name for upstream in settings.upstreams],
        agents={agent: u.name for u in reversed(settings.upstreams) for agent in u.agents},
        default=settings.default_upstream,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        start_timeout_s=settings.start_timeout.total_seconds(),
        answer_timeout_s=settings.answer_timeout.total_seconds(),
        body_timeout_s=settings.body_timeout.total_seconds(),
        max_body=settings.max_body,
        inspect_limit=settings.inspect_limit,
    )


class _lazy_session:
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


async def _serve_admin(stack: AsyncExitStack, admin: AdminPlane, sock: socket.socket) -> None:
    runner = web.AppRunner(admin.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, sock).start()


async def _serve_data(
    stack: AsyncExitStack, plane: DataPlane, settings: Settings, sock: socket.socket
) -> None:
    server = DataServer(
        plane.handle,
        header_timeout_s=settings.header_timeout.total_seconds(),
        max_connections=settings.max_connections,
    )
    listener = await asyncio.get_running_loop().create_server(server, sock=sock, backlog=_BACKLOG)
    server.start_sweeping()
    stack.push_async_callback(_drain, listener, server, settings.drain_timeout.total_seconds())


async def _drain(listener: asyncio.Server, server: DataServer, timeout_s: float) -> None:
    """Stop accepting, let requests finish, cut what is left at the deadline."""
    listener.close()
    server.stop_sweeping()
    server.pre_shutdown()
    await server.shutdown(timeout_s)


async def _flush(service: Service) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_STORE_FLUSH_S):
            await service.flush()
            return
    _log.error("not every record reached the store before the deadline")


async def _close_store(store: Store) -> None:
    try:
        async with asyncio.timeout(_STORE_FLUSH_S):
            await store.aclose()
    except (TimeoutError, StoreError) as error:
        _log.error("the store did not close cleanly: %s", error)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _refuse_lenient_parser() -> None:
    """aiohttp's pure-Python parser accepts shapes that smuggle requests; only the C one will do."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigError(
            [
                "this aiohttp has no C parser (AIOHTTP_NO_EXTENSIONS, or a build without "
                "extensions), and its Python parser accepts malformed requests; install a wheel"
            ]
        )


def _raise_file_limit() -> None:
    """A stream holds two descriptors; the usual soft limit of 1,024 ends at 500 of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def store_engine(settings: Settings) -> str:
    """What will keep the books, and what speaks against it."""
    return "memory: records end with the process" if settings.store == "memory:" else version()


def sources(settings: Settings) -> Sequence[str]:
    """One line for each upstream, for the log."""
    return [f"{upstream.name} -> {upstream.url}" for upstream in settings.upstreams]
