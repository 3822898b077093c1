"""Connections as they begin: plain requests, one after the other, served with as little as they
need. Of what a start costs aiohttp's server is a large part, and most of that is for what hardly
any client sends.

Whatever is not plain (see `heads`) is aiohttp's, and its connection with it, for good: as soon as
it comes, or after the answer that is being given. The same goes for a head in pieces, for requests
that come before the answer to the last one, and for bodies that are long or slow to come. So all
that is hard about HTTP is dealt with in one place, which is not here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, cast

from aiohttp import web

from . import answering, heads
from .backpressure import Drained
from .crowd import Crowd, address_of, detect_dead_peers, has_hung_up
from .request import DataRequest
from .tactful import unreadable

_log = logging.getLogger(__name__)

Handler = Callable[[DataRequest], Awaitable[web.StreamResponse]]

KEEPALIVE_S = 75.0
LARGEST_BODY = 256 * 1024
_MOST_AHEAD = 256 * 1024
_MOST_AWAITED = 32 * 1024 * 1024
"""Of all bodies that are on their way: nobody knows yet whether their senders may come in."""
_OF_A_PIECE = 64
"""What it takes to keep one, besides its bytes."""
_PATIENCE_S = 1.0
"""How long a body may be on its way before it is aiohttp's."""


class Heir(Protocol):
    """What takes connections over."""

    def __call__(
        self, transport: asyncio.Transport, begun: "PlainProtocol", pieces: Sequence[bytes]
    ) -> None:
        """Serve from here on; `pieces` have come, one after the other, and were not looked at."""


class PlainProtocol(Drained):
    """A client's connection that has sent nothing yet but plain requests. `waiting_since` is when
    it was opened, or when the body of its next request began to come; None while it is neither
    new nor in the middle of a request. See request.Connection for `held` and `stopping`."""

    __slots__ = (
        "_ahead",
        "_ahead_size",
        "_called",
        "_closing",
        "_crowd",
        "_handler",
        "_head",
        "_header_timeout_s",
        "_heir",
        "_idle_since",
        "_kept",
        "_key_id",
        "_largest",
        "_memory",
        "_reading_paused",
        "_request",
        "_task",
        "held",
        "peer_host",
        "stopping",
        "waiting_since",
    )

    def __init__(
        self,
        handler: Handler,
        heir: Heir,
        crowd: Crowd,
        memory: heads.Memory,
        *,
        header_timeout_s: float,
        largest_body: int,
    ) -> None:
        super().__init__()
        self._handler = handler
        self._heir = heir
        self._crowd = crowd
        self._memory = memory
        self._header_timeout_s = min(header_timeout_s, KEEPALIVE_S)
        self._largest = largest_body
        self._kept = bytearray()  # of a request whose body is on its way
        self._ahead: list[bytes] = []  # of what comes before the answer
        self._ahead_size = 0
        self._head: heads.Head | None = None
        self._request: DataRequest | None = None
        self._task: asyncio.Task[None] | None = None
        self._called: asyncio.Future[None] | None = None
        self._key_id: str | None = None
        self._idle_since: float | None = None
        self._reading_paused = False
        self._closing = False
        self.peer_host = b"unknown"
        self.waiting_since: float | None = None
        self.stopping = False
        self.held = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.waiting_since = self._loop.time()
        detect_dead_peers(transport.get_extra_info("socket"))
        self.peer_host = address_of(transport)
        if not self._crowd.has_room_for(self, self.peer_host):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._request is not None:
            self._keep_for_later(data)
        elif self._head is None:
            self._take(data)
        else:
            self._kept += data
            if len(self._kept) >= self._head.whole:
                data = bytes(self._kept)
                self._take(data, self._await_nothing())

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._crowd.left(self.peer_host)
        self._await_nothing()
        if self._request is None:
            self._crowd.members.discard(self)
            self._call_off()
        elif not self.held:
            self.cut()

    # Requests

    def _take(self, data: bytes, head: heads.Head | None = None) -> None:
        """Serve the request that `data` is, wait for the rest of its body, or hand over. `head` is
        its head, if that was read before."""
        head = head or heads.read(data, self._memory)
        if head is None or head.whole - head.size > self._largest:
            self._hand_over(data)
            return
        method, target, fields, size, length, whole = head
        if len(data) < whole:
            self._await_body(head, data)
            return
        if len(data) > whole:
            self._keep_for_later(data[whole:])
        self.waiting_since = self._idle_since = None
        self.held = False
        self._request = DataRequest(
            self,
            method,
            target,
            raw_headers=fields.raw,
            headers=fields.named,
            known=fields.known,
            peer_host=self.peer_host,
            content_length=length,
            body=data[size:whole] if length else None,
        )
        called, self._called = self._called, None
        if called is None:
            self._task = self._loop.create_task(self._serve())
            self._task.add_done_callback(self._ended)
        else:
            called.set_result(None)

    def _await_body(self, head: heads.Head, data: bytes) -> None:
        """Unless so much is awaited of all clients that this one has to be asked by its head."""
        if self._crowd.awaited + head.whole > _MOST_AWAITED:
            self._hand_over(data)
            return
        self._crowd.awaited += head.whole
        self._head = head
        self._kept += data
        self.waiting_since = self._loop.time()

    def _await_nothing(self) -> heads.Head | None:
        """The head of what was awaited."""
        head, self._head = self._head, None
        if head is not None:
            self._crowd.awaited -= head.whole
            self._kept.clear()
        return head

    def _keep_for_later(self, data: bytes) -> None:
        """What comes before the answer; whose it is shows then."""
        self._ahead.append(data)
        self._ahead_size += len(data) + _OF_A_PIECE
        if self._ahead_size > _MOST_AHEAD and self.transport and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    async def _serve(self) -> None:
        """One request after the other. (A task for each would be dear.)"""
        while (request := self._request) is not None:
            keep = False
            try:
                sent = await self._handler(request)
                if self.writing_paused:
                    await self.drain()  # who asks and does not read gets no further answers
                keep = sent.keep_alive is True
            except ConnectionError:
                _log.debug("a client left before its answer")
            except Exception as error:  # noqa: BLE001 - the edge: whatever fails becomes an answer
                status, fields, body = unreadable(500, error)
                answering.send(request, status, fields, body, last=True)
            self._over(keep=keep)
            del request  # a connection may be idle for long
            if self.transport is None or self.transport.is_closing():
                return
            self._called = self._loop.create_future()
            await self._called

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if self._request is not None:  # it was cut, and may not even have begun
            self._over(keep=False)

    def _over(self, *, keep: bool) -> None:
        """The request is."""
        self._request = None
        if self._key_id is not None:
            self._crowd.over(self._key_id)
            self._key_id = None
        if self.transport is None:
            self._crowd.members.discard(self)
        elif not keep or self._closing:
            self.transport.close()
        elif self._ahead:
            self._hand_over(*self._ahead)

    def _hand_over(self, *pieces: bytes) -> None:
        assert self.transport is not None
        self._crowd.members.discard(self)
        if self._reading_paused:
            self.transport.resume_reading()
        self._heir(self.transport, self, pieces)
        self._ahead.clear()
        self._await_nothing()
        self.transport = None
        self._call_off()

    def _call_off(self) -> None:
        """No request will come any more."""
        if self._called is not None:
            self._called.cancel()

    # What requests ask of their connection

    def let_in(self, key_id: str) -> int:
        self._key_id = key_id
        return self._crowd.let_in(key_id)

    # What the server asks

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """What serves the request in progress."""
        return None if self._request is None else self._task

    def swept(self, now: float) -> None:
        if self.transport is None:
            return
        if self._request is not None:
            if self._reading_paused and has_hung_up(self.transport):
                self.transport.close()
            elif not self.held and self._crowd.is_closed(self._key_id):
                # A start that is on its way comes first to what the server makes of it.
                self.cut()
        elif self.waiting_since is not None:
            waited = now - self.waiting_since
            if self._head is None and waited > self._header_timeout_s:
                self.transport.close()
            elif self._head is not None and waited >= _PATIENCE_S:
                self._hand_over(bytes(self._kept))
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= KEEPALIVE_S:
            self.transport.close()

    def close(self) -> None:
        """At once, or with the answer that is being given."""
        self._closing = True
        if self._request is None and self.transport is not None:
            self.transport.close()

    def cut(self) -> None:
        if self._request is not None and self._task is not None:
            self._task.cancel()
