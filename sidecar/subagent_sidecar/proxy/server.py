"""The data plane's listener: aiohttp's low-level server, with the deadlines it lacks.

aiohttp waits for ever for the rest of a request's head, keeps half-open connections for two
hours, and has no bound on connections; it would also decode what it should pass on, and it quotes
malformed requests, keys included, in its answers and its log.
"""

import asyncio
import select
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from ..core.metrics.traffic import OWN
from ..core.principal import ANONYMOUS, Principal
from . import answering
from .tactful import TactfulHandler, is_last_for_its_upgrade, unreadable

Handler = Callable[["DataRequest"], Awaitable[web.StreamResponse]]

_KEEPALIVE_S = 75.0
_FIELD_LIMIT = 64 * 1024
_FIELDS_LIMIT = 256
_HEAD_LIMIT = 256 * 1024
_SWEEP_S = 1.0
_BUFFER = 256 * 1024
_LAST_CALL_S = 0.1
_HANGUP = getattr(select, "POLLRDHUP", 0)


class DataRequest(web.BaseRequest):
    """A request with its target exactly as it stood in the request line."""

    raw_target: str
    peer_host: bytes
    """The client's address, for X-Forwarded-For."""
    principal: Principal = ANONYMOUS
    """Who asks."""
    act: str = OWN
    """What it does, once that is known."""
    waited_s: float = 0.0
    """How long it has waited for an upstream."""
    timed: bool = True
    """Whether all the other time that its answer took was ours."""
    known: dict[Any, Any]
    """What was worked out of these header fields before; shared by requests whose fields are byte
    for byte equal; empty and its own for the rest."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = {}

    def let_in(self, principal: Principal, key_id: str, *, less: frozenset[bytes]) -> int:
        """It is `principal`'s, for as long as the key is good. The fields called `less` (in lower
        case) carried it, and are gone from here on. The answer is how many requests of this key
        are being served now."""
        self.principal = principal
        raw = tuple(field for field in self._message.raw_headers if field[0].lower() not in less)
        named = CIMultiDict(self._headers)
        for name in less:
            del named[name.decode()]
        self._headers = CIMultiDictProxy(named)
        self._message = self._message._replace(raw_headers=raw, headers=self._headers)
        self.known = {}
        protocol = self.protocol
        protocol.key_id = key_id  # type: ignore[attr-defined]
        of_key: Counter[str] = protocol._manager.of_key  # type: ignore[union-attr]
        of_key[key_id] += 1
        return of_key[key_id]

    @property
    def keep_alive(self) -> bool:
        if self._message.upgrade and is_last_for_its_upgrade(self):
            return False
        return super().keep_alive and not self.protocol.stopping  # type: ignore[attr-defined]

    def hold(self) -> None:
        """From now on a client that leaves does not end its request."""
        self.protocol.held = True  # type: ignore[attr-defined]

    def let_go(self) -> None:
        """End `hold`. Raises ConnectionResetError if the client has left meanwhile."""
        protocol = self.protocol
        protocol.held = False  # type: ignore[attr-defined]
        if protocol.transport is None:
            raise ConnectionResetError("the client left")


class DataProtocol(TactfulHandler):
    """A client's connection. `waiting_since` is when the head of the next request began to come
    (or the connection was opened), None while no head is awaited; `head_size` is what has come
    of it so far. `body` is that of the latest request. Once `stopping`, the next answer is the
    last one. A client that leaves ends its request, unless it is `held`. `key_id` is that of the
    key by which the request in progress was let in."""

    __slots__ = ("body", "head_size", "held", "key_id", "peer_host", "stopping", "waiting_since")

    def __init__(self, server: "DataServer", **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self.waiting_since: float | None = None
        self.peer_host = b"unknown"
        self.stopping = False
        self.held = False
        self.key_id: str | None = None
        self.body: StreamReader | None = None
        self.head_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.waiting_since = self._loop.time()
        _detect_dead_peers(transport.get_extra_info("socket"))
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer_host = str(peer[0]).encode()
        manager = self._manager
        if isinstance(manager, DataServer) and not manager.has_room_for(self.peer_host):
            transport.abort()  # type: ignore[attr-defined]

    def connection_lost(self, exc: BaseException | None) -> None:
        task, manager = self._task_handler, self._manager
        super().connection_lost(exc)
        if isinstance(manager, DataServer):
            manager.left(self.peer_host)
        if task is not None and not self.held:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.waiting_since is None and not self._request_in_progress:
            self.waiting_since = self._loop.time()
        if self._messages:
            if not isinstance(self._messages[-1][0], RawRequestMessage):
                self._fail_body()
        elif not self._upgraded and (self.body is None or self.body.is_eof()):
            self.head_size += len(data)
            if self.head_size > _HEAD_LIMIT:
                self.force_close()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Called whenever a body was taken: aiohttp would run its parser once more each time."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _fail_body(self) -> None:
        """The parser gave up; if in the middle of a body, aiohttp leaves its reader waiting."""
        body = self._messages[-2][1] if len(self._messages) > 1 else self.body
        if body is not None and not body.is_eof():
            body.set_exception(web.RequestPayloadError("malformed"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        status, fields, body = unreadable(status, exc)
        return answering.send(request, status, fields, body, last=True)

    def left_unseen(self) -> bool:
        """Whether the client is gone, which nobody sees while its body is not read."""
        if self.transport is None or not (self._reading_paused or self._buffer_paused):
            return False
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), _HANGUP)
        return bool(poll.poll(0))

    def outlives_its_key(self, opens: Callable[[str], bool]) -> bool:
        """Whether the request in progress has to end for that. A start that is on its way comes
        first to what the server makes of it: nobody would know otherwise."""
        return self.key_id is not None and not self.held and not opens(self.key_id)

    def cut(self) -> None:
        """End the request in progress, as if its client had left."""
        if self._task_handler is not None:
            self._task_handler.cancel()


def _detect_dead_peers(sock: socket.socket | None) -> None:
    """Have the kernel notice within 30 s that a peer is gone without a word."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


class DataServer(web.Server):
    """Serves `handler`; a client that leaves cancels it. `opens` says whether what was let in by
    a key may go on."""

    def __init__(
        self,
        handler: Handler,
        *,
        header_timeout_s: float,
        max_connections: int,
        max_client_connections: int | None = None,
        opens: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(
            self._handle,
            request_factory=self._request,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_KEEPALIVE_S,
            max_line_size=_FIELD_LIMIT,
            max_field_size=_FIELD_LIMIT,
            max_headers=_FIELDS_LIMIT,
            read_bufsize=_BUFFER,
        )
        self._inner = handler
        self._opens = opens
        self._header_timeout_s = header_timeout_s
        self._max_connections = max_connections
        self._max_client_connections = max_client_connections
        self._of_client: Counter[bytes] = Counter()
        self.of_key: Counter[str] = Counter()
        """Requests that were let in by a key and are being served."""
        self._sweeper: asyncio.TimerHandle | None = None

    def __call__(self) -> web.RequestHandler:
        return DataProtocol(self, loop=self._loop, **self._kwargs)

    def has_room_for(self, client: bytes) -> bool:
        """Whether this connection more is within the limits: of all, and of one address."""
        self._of_client[client] += 1
        most = self._max_client_connections
        if most is not None and self._of_client[client] > most:
            return False
        return len(self._connections) <= self._max_connections

    def left(self, client: bytes) -> None:
        """One connection of `client` less."""
        self._of_client[client] -= 1
        if self._of_client[client] <= 0:
            del self._of_client[client]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, DataRequest)
        protocol = request.protocol
        protocol.waiting_since = None  # type: ignore[attr-defined]
        protocol.held = False  # type: ignore[attr-defined]
        if self._opens is None:
            return await self._inner(request)
        try:
            return await self._inner(request)
        finally:
            self._over(protocol)  # type: ignore[arg-type]

    def _over(self, protocol: DataProtocol) -> None:
        key_id, protocol.key_id = protocol.key_id, None
        if key_id is not None:
            self.of_key[key_id] -= 1
            if not self.of_key[key_id]:
                del self.of_key[key_id]

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> DataRequest:
        request = DataRequest(message, payload, protocol, writer, task, self._loop)
        request.raw_target = message.path
        request.peer_host = protocol.peer_host  # type: ignore[attr-defined]
        protocol.body = payload  # type: ignore[attr-defined]
        protocol.head_size = 0  # type: ignore[attr-defined]
        return request

    def pre_shutdown(self) -> None:
        """Answers say `Connection: close` from now on."""
        for protocol in self.connections:
            protocol.stopping = True  # type: ignore[attr-defined]

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's
        """Let requests finish, cut those that have not after `timeout` seconds.

        Idle connections stay open a moment longer: requests that are on their way on them would
        be lost. aiohttp by itself would wait `timeout` twice.
        """
        tasks = [p._task_handler for p in self.connections if p._task_handler is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_CALL_S)
        super().pre_shutdown()
        timeout = timeout or 0.0
        deadline = self._loop.call_later(timeout, self._cut)
        try:
            await super().shutdown(timeout + _LAST_CALL_S)
        finally:
            deadline.cancel()

    def _cut(self) -> None:
        for protocol in self.connections:
            protocol.cut()  # type: ignore[attr-defined]

    def start_sweeping(self) -> None:
        """From now on, close connections whose request head is overdue or whose client left, and
        end requests whose key has come to its end: streams and sockets may be open for hours."""
        self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)

    def stop_sweeping(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _sweep(self) -> None:
        overdue = self._loop.time() - self._header_timeout_s
        for protocol in self.connections:
            assert isinstance(protocol, DataProtocol)
            if protocol.left_unseen() or (
                protocol.waiting_since is not None and protocol.waiting_since < overdue
            ):
                protocol.force_close()
            elif self._opens is not None and protocol.outlives_its_key(self._opens):
                protocol.cut()
        self.start_sweeping()
