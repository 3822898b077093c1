"""The data plane: where each request goes and who serves it."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from ..core import routing, wire
from ..core.access import Rule, judged
from ..core.metrics.meters import ProxyMeter
from ..core.principal import Principal
from ..core.wire import Act, Meaning
from ..errors import (
    BodyTimeout,
    Draining,
    RequestError,
    SidecarError,
    Unauthenticated,
    UpstreamError,
)
from ..ports import Store
from ..service import Service
from . import answering, bodies, door_bodies, forwarding, headers, problems, websocket
from .calls import Call, Target
from .coalescing import Coalescer
from .doors import Doors
from .gate import Gate
from .guard import READ_BY_GUARD, Guard, closed
from .idempotency import Once
from .incoming import NOTHING, Incoming, Limits, at_hand, read
from .own_routes import OwnRoutes
from .request import DataRequest
from .targets import route
from .telling import Telling
from .threads import Threads

_UNDERSTOOD = wire.STARTS | wire.DOORS | {Act.THREAD_CREATE, Act.RUNS_CANCEL, Act.CRON_CHANGE}
"""Requests whose body must be read before they are sent on."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_UPSTREAM = "x-subagent-upstream"


class DataPlane:
    """Handles every request on the data plane's listener."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        upstreams: routing.UpstreamNames,
        targets: Mapping[str, Target],
        limits: Limits,
        starts: Once,
        doors: Doors,
        polls: forwarding.Polls,
        threads: Threads,
        websockets: websocket.WebSockets,
        coalescer: Coalescer,
        telling: Telling,
        own: OwnRoutes,
        gate: Gate | None,
        guard: Guard,
        now: Callable[[], float],
    ) -> None:
        self._guard = guard
        self.meter = ProxyMeter()
        self.gate = gate
        self._now = now
        self._service = service
        self._store = store
        self._upstreams = upstreams
        self._targets = targets
        self._only = targets[upstreams.names[0]] if len(upstreams.names) == 1 else None
        self._limits = limits
        self._starts = starts
        self._doors = doors
        self._websockets = websockets
        self._coalescer = coalescer
        self._telling = telling
        self.own = own
        self._serve = {
            **dict.fromkeys(wire.STARTS, starts.serve),
            **dict.fromkeys(wire.DOORS, doors.serve),
            **threads.routes,
            Act.CRON_CHANGE: doors.change_cron,
            Act.ASSISTANT_CHANGE: doors.change_assistant,
            Act.RUN_GET: polls.serve,
            Act.THREAD_GET: polls.serve,
        }

    @property
    def shared(self) -> int:
        """Polls that were answered with the upstream's answer to another one."""
        return self._coalescer.shared

    @property
    def draining(self) -> bool:
        """Once true, nothing is started any more."""
        return self._doors.draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self._doors.draining = value
        if value:
            self.own.stop()

    def handle(self, request: DataRequest) -> Awaitable[web.StreamResponse]:
        """A request of a client's. Never raises but for one that left: every failure is an
        answer."""
        return self._handled(request, self.gate)

    def handle_own(self, request: DataRequest) -> Awaitable[web.StreamResponse]:
        """A request of our own, whose principal was let in before."""
        return self._handled(request, None)

    async def _handled(self, request: DataRequest, gate: Gate | None) -> web.StreamResponse:
        begun = self._now()
        try:
            if gate is not None:
                gate.admit(request)
            sent = await self._dispatch(request)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever fails becomes an answer
            sent = self._failed(request, error)
        own_s = self._now() - begun - request.waited_s if request.timed else None
        self.meter.answered(request.act, sent.status, own_s)
        return sent

    def _failed(self, request: DataRequest, error: Exception) -> web.StreamResponse:
        request_id = headers.text(request.headers.get("x-request-id"), limit=128)
        if isinstance(error, UpstreamError):
            request.timed = False  # how long it waited for nothing stands nowhere
        if isinstance(error, SidecarError) and not isinstance(error, Unauthenticated):
            self._telling.tell(
                error,
                method=request.method,
                target=request.raw_target,
                supervisor=request.principal.supervisor,
            )
        status, fields, body = problems.problem(error, request_id=request_id)
        sent = answering.send(request, status, fields, body, last=_is_last(error))
        if isinstance(error, BodyTimeout) and request.transport is not None:
            request.transport.close()  # aiohttp would wait ten seconds for the rest
        return sent

    async def _dispatch(self, request: DataRequest) -> web.StreamResponse:
        method, whole = request.method, request.principal.every_task
        own, prefix, raw_target, raw_path, path, meaning = route(method, request.raw_target)
        if own:
            return await self.own.serve(request, raw_path)
        rule = Rule.OPEN
        if not whole:
            rule, meaning = judged(method, path, raw_path, meaning)
            if rule is Rule.CLOSED:
                raise closed(method, raw_path)
        act = request.act = meaning.act
        if act in wire.STARTS and self._doors.draining:
            raise Draining("the sidecar is stopping and starts nothing new; try again shortly")
        serve = self._serve.get(act, forwarding.through)
        if "upgrade" in request.headers and websocket.wants_upgrade(request):
            serve, incoming = self._websockets.serve, NOTHING
        else:
            understand = act in _UNDERSTOOD or rule in READ_BY_GUARD
            incoming = at_hand(request, self._limits) or await read(
                request, self._limits, understand=understand
            )
        target = self._only
        if target is None or prefix is not None or request.headers.get(_UPSTREAM):
            target = self._targets[await self._choose(request, prefix, meaning, incoming)]
        call = Call(
            request=request,
            raw_target=raw_target,
            prefix=prefix,
            meaning=meaning,
            target=target,
            limits=self._limits,
            incoming=incoming,
        )
        changed = None if method in _READS else meaning.thread_id
        if changed is not None:
            self._coalescer.forget(changed)
        try:
            if whole:
                return await serve(call)
            return await self._guard.serve(call, rule, serve)
        except UpstreamError as error:
            error.upstream = call.target.name
            raise
        finally:
            if changed is not None:
                self._coalescer.forget(changed)

    async def _choose(
        self, request: DataRequest, prefix: str | None, meaning: Meaning, incoming: Incoming
    ) -> str:
        header_name = headers.text(request.headers.get(_UPSTREAM))
        home = None
        if prefix is None and header_name is None:
            thread_id = _thread(meaning, incoming.whole)
            home = None if thread_id is None else await self._home(request.principal, thread_id)
        return routing.choose(
            self._upstreams,
            prefix=prefix,
            header=header_name,
            thread=home,
            agents=_agents(meaning, incoming.whole or b""),
        )

    async def _home(self, principal: Principal, thread_id: str) -> str | None:
        """Where another's thread is shows that it is there."""
        if principal.every_task:
            return await self._service.home(thread_id)
        return await self._guard.home(principal.supervisor, thread_id)


def _is_last(error: Exception) -> bool:
    """Whether what follows on the connection could be taken for something it is not."""
    return isinstance(error, RequestError) and error.status in (400, 408)


def _thread(meaning: Meaning, body: bytes | None) -> str | None:
    """The thread a request is about. That of an A2A message is its context."""
    if meaning.act is not Act.A2A:
        return meaning.thread_id
    start = door_bodies.asked(meaning, body)
    return None if start is None else start.thread_id


def _agents(meaning: Meaning, body: bytes) -> tuple[str | None, ...]:
    """The agent a body names, by the names an upstream may list it under."""
    if meaning.act is Act.THREAD_CREATE:
        return (bodies.thread_body(body).agent_name,)
    if meaning.act in wire.STARTS:
        batch = meaning.act is Act.RUNS_BATCH
        said = bodies.batch_body(body) if batch else bodies.run_body(body)
        return said.agent_name, said.assistant_id
    if meaning.act in wire.DOORS and (start := door_bodies.asked(meaning, body)) is not None:
        return start.said.agent_name, start.said.assistant_id
    return ()
