"""Connections on aiohttp's way: whatever HTTP/1 there is.

aiohttp waits for ever for the rest of a request's head, keeps half-open connections for two hours,
and has no bound on connections; it would also decode what it should pass on, and it quotes
malformed requests, keys included, in its answers and its log.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from . import answering
from .crowd import Crowd, has_hung_up
from .request import DataRequest
from .tactful import TactfulHandler, is_last_for_its_upgrade, unreadable

if TYPE_CHECKING:
    from .plain import PlainProtocol

_HEAD_LIMIT = 256 * 1024


class DataProtocol(TactfulHandler):
    """A client's connection. `waiting_since` is when the head of the next request began to come
    (or the connection was opened), None while no head is awaited; `head_size` is what has come
    of it so far. `body` is that of the latest request. See request.Connection for `held` and
    `stopping`. `key_id` is that of the key by which the request in progress was let in."""

    __slots__ = (
        "_crowd",
        "_header_timeout_s",
        "body",
        "head_size",
        "held",
        "key_id",
        "peer_host",
        "stopping",
        "waiting_since",
    )

    def __init__(
        self, manager: web.Server, crowd: Crowd, *, header_timeout_s: float, **kwargs: Any
    ) -> None:
        super().__init__(manager, **kwargs)
        self._crowd = crowd
        self._header_timeout_s = header_timeout_s
        self.waiting_since: float | None = None
        self.peer_host = b"unknown"
        self.stopping = False
        self.held = False
        self.key_id: str | None = None
        self.body: StreamReader | None = None
        self.head_size = 0

    def take_over(
        self, transport: asyncio.Transport, begun: "PlainProtocol", pieces: Sequence[bytes]
    ) -> None:
        """Serve a connection that has begun as another; `pieces` have come, one after
        the other, and were not looked at."""
        self.peer_host = begun.peer_host
        self.stopping = begun.stopping
        self._crowd.members.add(self)
        transport.set_protocol(self)
        self.connection_made(transport)
        self.waiting_since = begun.waiting_since or self._loop.time()
        if begun.writing_paused:
            self.pause_writing()
        for piece in pieces:
            self.data_received(piece)

    def connection_lost(self, exc: BaseException | None) -> None:
        task = self._task_handler
        super().connection_lost(exc)
        self._crowd.left(self.peer_host)
        if task is None:
            self._crowd.members.discard(self)
            return
        task.add_done_callback(lambda _: self._crowd.members.discard(self))
        if not self.held:
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

    def close(self) -> None:
        """With the answer that is being given: it says so, if it has not begun."""
        self.stopping = True
        super().close()

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
        return answering.send(self.request(request), status, fields, body, last=True)

    def begun(self, payload: StreamReader) -> None:
        """A head has come whole; `payload` is the body behind it."""
        self.body = payload
        self.head_size = 0

    def request(self, asked: web.BaseRequest) -> DataRequest:
        """What was `asked`, as all who serve it know it."""
        message = asked._message
        return DataRequest(
            self,
            message.method,
            message.path,
            raw_headers=message.raw_headers,
            headers=message.headers,
            known={},
            peer_host=self.peer_host,
            content_length=asked.content_length,
            content=asked.content if asked.body_exists else None,
            version=message.version,
            keeps=not message.should_close and not is_last_for_its_upgrade(asked),
        )

    # What requests ask of their connection

    async def drain(self) -> None:
        """Wait until the client has taken what it was sent."""
        if self.transport is not None and self.writing_paused:
            await self._drain_helper()

    def let_in(self, key_id: str) -> int:
        self.key_id = key_id
        return self._crowd.let_in(key_id)

    def over(self) -> None:
        """The request in progress is."""
        if self.key_id is not None:
            self._crowd.over(self.key_id)
            self.key_id = None

    # What the server asks

    def swept(self, now: float) -> None:
        waited = 0.0 if self.waiting_since is None else now - self.waiting_since
        if self._left_unseen() or waited > self._header_timeout_s:
            self.force_close()
        elif not self.held and self._crowd.is_closed(self.key_id):
            # A start that is on its way comes first to what the server makes of it: nobody would
            # know otherwise.
            self.cut()

    def _left_unseen(self) -> bool:
        """Whether the client is gone, which nobody sees while its body is not read."""
        if self.transport is None or not (self._reading_paused or self._buffer_paused):
            return False
        return has_hung_up(self.transport)

    def cut(self) -> None:
        if self._task_handler is not None:
            self._task_handler.cancel()
