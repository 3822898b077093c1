"""The data plane's listener: who is let in, for how long, and what becomes of them at the end.

Connections begin on the plain way, and most of them stay there; the rest are aiohttp's.
"""

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from .crowd import Crowd
from .data_protocol import DataProtocol
from .heads import Memory
from .plain import KEEPALIVE_S, LARGEST_BODY, Handler, PlainProtocol

_FIELD_LIMIT = 64 * 1024
_FIELDS_LIMIT = 256
_SWEEP_S = 1.0
_SWEEPS_REMEMBERED = 60
_BUFFER = 256 * 1024
_LAST_CALL_S = 0.1


class DataServer:
    """Serves `handler`; a client that leaves cancels it. `opens` says whether what was let in by
    a key may go on. Bodies of more than `max_body` bytes nobody waits for."""

    def __init__(
        self,
        handler: Handler,
        *,
        header_timeout_s: float,
        max_connections: int,
        max_client_connections: int | None = None,
        max_body: int = LARGEST_BODY,
        opens: Callable[[str], bool] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._handler = handler
        self._header_timeout_s = header_timeout_s
        self._largest_body = min(max_body, LARGEST_BODY)
        self._memory = Memory()
        self.crowd = Crowd(
            max_connections=max_connections,
            max_client_connections=max_client_connections,
            opens=opens,
        )
        self._aiohttp = _AnyRequest(handler, self.crowd, header_timeout_s=header_timeout_s)
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweeps = 0

    def __call__(self) -> PlainProtocol:
        return PlainProtocol(
            self._handler,
            self._hand_over,
            self.crowd,
            self._memory,
            header_timeout_s=self._header_timeout_s,
            largest_body=self._largest_body,
        )

    def _hand_over(
        self, transport: asyncio.Transport, begun: PlainProtocol, pieces: Sequence[bytes]
    ) -> None:
        self._aiohttp().take_over(transport, begun, pieces)

    @property
    def transports(self) -> list[asyncio.Transport | None]:
        """Of all connections."""
        return [member.transport for member in self.crowd.members]

    def pre_shutdown(self) -> None:
        """Answers say `Connection: close` from now on."""
        for member in self.crowd.members:
            member.stopping = True

    async def shutdown(self, timeout: float) -> None:  # noqa: ASYNC109 - aiohttp's
        """Let requests finish, cut those that have not after `timeout` seconds.

        Idle connections stay open a moment longer: requests that are on their way on them would
        be lost. aiohttp by itself would wait `timeout` twice.
        """
        if self.crowd.members:
            await asyncio.sleep(_LAST_CALL_S)
        self._aiohttp.pre_shutdown()
        plain = [each for each in self.crowd.members if isinstance(each, PlainProtocol)]
        for each in plain:
            each.close()
        deadline = self._loop.call_later(timeout, self._cut)
        try:
            tasks = [each.task for each in plain if each.task is not None]
            if tasks:
                await asyncio.wait(tasks, timeout=timeout + _LAST_CALL_S)
            await self._aiohttp.shutdown(timeout + _LAST_CALL_S)
        finally:
            deadline.cancel()

    def _cut(self) -> None:
        for member in list(self.crowd.members):
            member.cut()

    def start_sweeping(self) -> None:
        """From now on, close connections whose request head is overdue or whose client left, and
        end requests whose key has come to its end: streams and sockets may be open for hours."""
        self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)

    def stop_sweeping(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _sweep(self) -> None:
        now = self._loop.time()
        for member in list(self.crowd.members):  # less those that are handed over on the way
            member.swept(now)
        self._sweeps += 1
        if self._sweeps % _SWEEPS_REMEMBERED == 0:
            self._memory.fade()
        self.start_sweeping()


class _AnyRequest(web.Server):
    """aiohttp's low-level server, for connections that began without it."""

    def __init__(self, handler: Handler, crowd: Crowd, *, header_timeout_s: float) -> None:
        super().__init__(
            self._handle,
            request_factory=self._begun,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_S,
            max_line_size=_FIELD_LIMIT,
            max_field_size=_FIELD_LIMIT,
            max_headers=_FIELDS_LIMIT,
            read_bufsize=_BUFFER,
        )
        self._inner = handler
        self._crowd = crowd
        self._header_timeout_s = header_timeout_s

    def __call__(self) -> DataProtocol:
        return DataProtocol(
            self,
            self._crowd,
            header_timeout_s=self._header_timeout_s,
            loop=self._loop,
            **self._kwargs,
        )

    def _begun(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        assert isinstance(protocol, DataProtocol)
        protocol.begun(payload)
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop)

    async def _handle(self, asked: web.BaseRequest) -> web.StreamResponse:
        protocol = asked.protocol
        assert isinstance(protocol, DataProtocol)
        protocol.waiting_since = None
        protocol.held = False
        try:
            return await self._inner(protocol.request(asked))
        finally:
            protocol.over()
