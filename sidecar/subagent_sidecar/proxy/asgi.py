"""An ASGI application as one of our routes: a request in, an answer out as it comes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from aiohttp import web

from ..errors import UpstreamBroken
from ..tasks import spawn
from . import answering
from .headers import Field
from .request import DataRequest

Message = MutableMapping[str, Any]
App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]

_log = logging.getLogger(__name__)

_AHEAD = 16
"""Messages that wait for a slow client before the application does."""
_OWN = frozenset({b"content-length", b"transfer-encoding", b"connection", b"date", b"server"})


async def serve(app: App, request: DataRequest, body: bytes) -> web.StreamResponse:
    """Have `app` answer. It is told when its client leaves, and decides itself what that means:
    some clients leave as soon as they have read what they wanted."""
    exchange = _Exchange(body)
    running = spawn(_run(app, _scope(request), exchange), name="asgi", awaited=True)
    running.add_done_callback(exchange.over)
    try:
        start = await exchange.message()
        if start is None:
            return await _failed(running)
        first = await exchange.message()
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
        exchange.left()


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
        "state": {"principal": request.principal},
    }


class _Exchange:
    """What the application is handed, and what it sends."""

    def __init__(self, body: bytes) -> None:
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(_AHEAD)
        self._body: bytes | None = body
        self._over = False
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        if self._body is None:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if not self._gone.is_set():
            await self._messages.put(message)

    def left(self) -> None:
        """Nobody reads any more."""
        self._gone.set()
        while not self._messages.empty():  # whoever waits to send is let go
            self._messages.get_nowait()

    def over(self, running: "asyncio.Task[None]") -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            _log.debug("an ASGI application failed: %r", error)
        self._over = True
        if self._messages.empty():  # else whoever reads what there is will see
            self._messages.put_nowait(None)

    async def message(self) -> Message | None:
        """The next one; None once it is over."""
        if self._over and self._messages.empty():
            return None
        return await self._messages.get()

    async def pieces(self, first: Message) -> AsyncIterator[bytes]:
        """Raises UpstreamBroken where the application ended in the midst."""
        message: Message | None = first
        while message is not None:
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return
            message = await self.message()
        raise UpstreamBroken("the answer ended in its midst")
