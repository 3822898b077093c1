"""Room for new MCP sessions, whoever forgot to end theirs.

Many clients never end a session: they crash, or open one for each call. The `mcp` package keeps
those for half an hour, and once there are as many as may be it refuses all who come new. Here the
one that was quiet for the longest gives way instead. Its client, if there still is one, is told
404 and opens another, as the protocol has it.

A session is for the supervisor that opened it. Whoever else names it is answered as if it had made
the name up.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from .mcp_openers import Openers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_SESSION = b"mcp-session-id"
_VERSION = b"mcp-protocol-version"


_NOBODYS = b"0" * 32
"""The name of no session: those have a version in them."""


class Room:
    """`app`, in which at most so many sessions are open. `kept` says which have something to lose:
    they give way last. One that is being served never does."""

    def __init__(
        self, app: App, *, most: int, kept: Callable[[str], bool], openers: Openers
    ) -> None:
        self._app = app
        self._openers = openers
        self._most = most
        self._kept = kept
        self._requests: dict[str, int] = {}  # under way; what was quiet for longest comes first
        self._opening = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """See ASGI."""
        session = _header(scope["headers"], _SESSION)
        if session is not None and self._openers.is_anothers(session, _supervisor(scope)):
            await self._app(_renamed(scope), receive, send)
        elif session is not None:
            await self._served(session, scope, receive, send)
        elif _may_open(scope):
            await self._opened(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _served(self, session: str, scope: Message, receive: Receive, send: Send) -> None:
        known = session in self._requests
        if known:
            self._requests[session] += 1
        gone = False

        async def watched(message: Message) -> None:
            nonlocal gone
            if message["type"] == "http.response.start":
                status = message["status"]
                gone = status == 404 or (scope["method"] == "DELETE" and status < 300)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if known and (under_way := self._requests.pop(session, None)) and not gone:
                self._requests[session] = under_way - 1
            elif known and gone:
                self._openers.closed(session)

    async def _opened(self, scope: Message, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                session = _header(message.get("headers", ()), _SESSION)
                if session is not None:
                    self._requests[session] = 0
                    self._openers.opened(session, _supervisor(scope))
            await send(message)

        self._opening += 1
        try:
            if len(self._requests) + self._opening > self._most:
                await self._make_room()
            await self._app(scope, receive, watched)
        finally:
            self._opening -= 1

    async def _make_room(self) -> None:
        quiet = [session for session, under_way in self._requests.items() if not under_way]
        if not quiet:
            return  # then the package refuses
        session = next((each for each in quiet if not self._kept(each)), quiet[0])
        del self._requests[session]
        self._openers.closed(session)
        fields = [(_SESSION, session.encode("latin-1"))]
        scope = {"type": "http", "method": "DELETE", "path": "/", "query_string": b""}
        await self._app({**scope, "headers": fields}, _nothing_more, _nobody)


def _supervisor(scope: Message) -> str:
    """Who asks: see McpDoor."""
    supervisor: str = scope["state"]["principal"].supervisor
    return supervisor


def _renamed(scope: Message) -> Message:
    """As if its session were one that there is not."""
    others = [field for field in scope["headers"] if field[0].lower() != _SESSION]
    return {**scope, "headers": [*others, (_SESSION, _NOBODYS)]}


def _may_open(scope: Message) -> bool:
    """Whether a request without a session may be a client's first: the newest protocol has none."""
    version = _header(scope["headers"], _VERSION)
    known = version is None or version in HANDSHAKE_PROTOCOL_VERSIONS
    return scope["method"] == "POST" and known


def _header(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in fields if key.lower() == name), None)


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nobody(message: Message) -> None:
    """Nobody reads it."""
