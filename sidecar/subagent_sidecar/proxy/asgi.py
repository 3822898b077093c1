"""An ASGI application as one of our routes: a request in, an answer out as it comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from aiohttp import web

from ..errors import UpstreamBroken
from ..tasks import spawn
from . import answering
from .headers import Field
from .server import DataRequest

Message = MutableMapping[str, Any]
App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]

_AHEAD = 16
"""Messages that wait for a slow client before the application does."""
_OWN = frozenset({b"content-length", b"transfer-encoding", b"connection", b"date", b"server"})


async def serve(app: App, request: DataRequest, body: bytes) -> web.StreamResponse:
    """Have `app` answer. A client that leaves cancels it."""
    exchange = _Exchange(body)
    running = spawn(_run(app, _scope(request), exchange), name="asgi", awaited=True)
    running.add_done_callback(exchange.over)
    try:
        start = await exchange.messages.get()
        if start is None:
            return await _failed(running)
        first = await exchange.messages.get()
        fields = [f for f in start.get("headers", ()) if f[0].lower() not in _OWN]
        if first is None or not first.get("more_body"):
            whole = b"" if first is None else first.get("body", b"")
            await asyncio.wait([running])
            return answering.send(request, start["status"], fields, whole)
        request.timed = False
        sent = await answering.stream(
            request, start["status"], b"", fields, exchange.pieces(first), length=None
        )
        await asyncio.wait([running])  # it may have something to do behind its answer
        return sent
    finally:
        if not running.done():
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _run(app: App, scope: dict[str, Any], exchange: "_Exchange") -> None:
    await app(scope, exchange.receive, exchange.send)


async def _failed(running: "asyncio.Task[None]") -> web.StreamResponse:
    await running  # raises what it failed with
    raise AssertionError("the application ended without an answer")


def _scope(request: DataRequest) -> dict[str, Any]:
    path, _, query = request.raw_target.partition("?")
    fields: list[Field] = [(name.lower(), value) for name, value in request.raw_headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": query.encode("utf-8", "surrogateescape"),
        "root_path": "",
        "headers": fields,
        "client": (request.peer_host.decode("latin-1"), 0),
        "server": None,
        "state": {},
    }


class _Exchange:
    """What the application is handed. `messages` are what it sends, None once it is over."""

    def __init__(self, body: bytes) -> None:
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue(_AHEAD)
        self._body: bytes | None = body
        self._ended = False

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.get_running_loop().create_future()  # whoever leaves cancels us
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        await self.messages.put(message)

    def over(self, _running: "asyncio.Task[None]") -> None:
        while self.messages.full():
            self.messages.get_nowait()  # nobody reads any more, or it would not be full
            self._ended = True
        self.messages.put_nowait(None)

    async def pieces(self, first: Message) -> AsyncIterator[bytes]:
        """Raises UpstreamBroken where the application ended in the midst."""
        message: Message | None = first
        while message is not None:
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return
            message = await self.messages.get()
        raise UpstreamBroken("the answer ended in its midst")
