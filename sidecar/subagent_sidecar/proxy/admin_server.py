"""The admin plane's listener: what aiohttp's own lacks, as `server` has it for the data plane.

aiohttp waits for ever for the rest of a request's head, takes any number of connections, and quotes
malformed requests, tokens included, in its answers and in its log.
"""

import asyncio

from aiohttp import web

from .tactful import TactfulHandler, unreadable

_SWEEP_S = 1.0


class AdminServer:
    """Makes the connections of `server`, and closes those whose request is overdue, for ever."""

    def __init__(
        self, server: web.Server, *, header_timeout_s: float, max_connections: int
    ) -> None:
        self._server = server
        self._header_timeout_s = header_timeout_s
        self._max_connections = max_connections

    def __call__(self) -> "AdminProtocol":
        return AdminProtocol(self, self._server)

    @property
    def full(self) -> bool:
        return len(self._server.connections) > self._max_connections

    async def sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            overdue = loop.time() - self._header_timeout_s
            for protocol in self._server.connections:
                if isinstance(protocol, AdminProtocol) and protocol.waits_since(overdue):
                    protocol.force_close()


class AdminProtocol(TactfulHandler):
    """A client's connection; `_waiting_since` is when the head of its next request began to come,
    or the connection was opened."""

    __slots__ = ("_admin", "_waiting_since")

    def __init__(self, admin: AdminServer, server: web.Server) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **server._kwargs)
        self._admin = admin
        self._waiting_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._waiting_since = self._loop.time()
        if self._admin.full:
            transport.abort()  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages or self._request_in_progress:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = self._loop.time()

    def waits_since(self, moment: float) -> bool:
        """Whether a head was awaited at `moment`, and has not come yet."""
        return self._waiting_since is not None and self._waiting_since < moment

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        status, fields, body = unreadable(status, exc)
        named = {name.decode(): value.decode() for name, value in fields}
        answer = web.Response(status=status, body=body, headers=named)
        answer.force_close()
        return answer
