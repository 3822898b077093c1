"""One connection to an agent server, carrying one exchange at a time.

IDLE --exchange--> BUSY --answer complete--> IDLE (back to the pool)
either --abort, fail, server gone, nonsense--> CLOSED, for good
"""

import asyncio
import math
import select
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

from ..errors import UpstreamBroken, UpstreamTimeout
from ..ports import Outgoing
from .answers import Answer, StreamedAnswer, WholeAnswer
from .reading import BODY, DONE, HEAD, AnswerReader, Nonsense
from .sending import send_body

CLOSED: Final = 0
IDLE: Final = 1
BUSY: Final = 2

SHORT_BODY: Final = 64 * 1024
LINGER_S: Final = 0.005
"""Most servers write head and body one after the other. The head of an answer with a declared
length up to SHORT_BODY waits this long for the rest: a whole answer is cheaper to pass on."""


class Owner(Protocol):
    """The pool, as far as its connections are concerned."""

    @property
    def display_url(self) -> str: ...

    def opened(self, connection: "Connection") -> None: ...

    def released(self, connection: "Connection") -> None: ...

    def lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """`deadline` and `idle_since` are on the clock `now`; the owner acts on them. While an
    exchange is under way `idle_since` tells of the one before."""

    def __init__(self, owner: Owner, now: Callable[[], float]) -> None:
        self.deadline = math.inf
        self.idle_since = -math.inf
        self._owner = owner
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._poll: select.poll | None = None
        self._state: int = IDLE
        self._reader = AnswerReader()
        self._reused = False
        self._answered = False
        self._timeout: float | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._streamed: StreamedAnswer | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._pump: asyncio.Task[None] | None = None
        self._write_blocked = False
        self._drained: asyncio.Future[None] | None = None
        self._read_paused = False
        self._tls = False

    @property
    def closed(self) -> bool:
        return self._state == CLOSED

    @property
    def went_stale(self) -> bool:
        """It had been kept alive, and died without a byte in answer to the last request."""
        return self._reused and not self._answered

    def usable(self) -> bool:
        """Idle, and nothing, not even an end of file, waits to be read from it.

        Asking the kernel shows what the loop has not seen yet; a request that must not be sent
        twice would otherwise be lost on a connection the server has just closed.
        """
        return self._state == IDLE and not (self._poll is not None and self._poll.poll(0))

    async def exchange(self, request: Outgoing, wire: bytes) -> Answer:
        """Write `wire`, which is `sending.encode(request)`, and wait for the answer."""
        waiter = self.begin(request, wire, self._now())
        try:
            return await waiter
        except asyncio.CancelledError:
            self.left(waiter)
            raise

    def begin(self, request: Outgoing, wire: bytes, now: float) -> asyncio.Future[Answer]:
        """Write the request; whoever is cancelled waiting for the answer says so by `left`."""
        self._state = BUSY
        self._answered = False
        self._timeout = timeout = request.first_byte_timeout
        self._waiter = waiter = self._loop.create_future()
        self._reader.begin(head_only=request.method == b"HEAD")
        self._transport.write(wire)
        body = request.body
        if body is not None and not isinstance(body, bytes):
            sending = send_body(body, request.length, self._transport.write, self._drain)
            self._pump = self._loop.create_task(sending)
            self._pump.add_done_callback(self._pumped)
        elif timeout is not None:
            self.deadline = now + timeout
        return waiter

    def left(self, waiter: asyncio.Future[Answer]) -> None:
        """Nobody waits for the answer any more."""
        if waiter.cancelled():
            self.abort()
        elif waiter.exception() is None:
            # It had just been answered; the connection may already serve somebody else.
            waiter.result().abort()

    def abort(self) -> None:
        """Drop the connection at once. Who waits for the answer is not told: see `fail`."""
        if self._state == CLOSED:
            return
        self._state = CLOSED
        self._settle()
        self._reader.close()
        self._transport.abort()

    def fail(self, error: Exception) -> None:
        """Drop the connection; whoever waits for the answer gets `error`."""
        waiter, streamed = self._waiter, self._streamed
        self.abort()
        if streamed is not None:
            streamed.end(error)
        elif waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def expire(self) -> None:
        """The deadline has passed."""
        url = self._owner.display_url
        message = f"upstream {url} did not begin to answer within {self._timeout:g} s"
        self.fail(UpstreamTimeout(message, phase="first byte"))

    def pause(self) -> None:
        if not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._read_paused:
            self._read_paused = False
            self._transport.resume_reading()

    # -- the request

    def _arm(self) -> None:
        if self._timeout is not None:
            self.deadline = self._now() + self._timeout

    async def _drain(self) -> None:
        """A server that does not read is as late as one that does not answer."""
        if self._write_blocked:
            if self._reader.phase == HEAD:
                self._arm()
            self._drained = self._loop.create_future()
            await self._drained
            self.deadline = math.inf

    def _pumped(self, pump: asyncio.Task[None]) -> None:
        error = None if pump.cancelled() else pump.exception()
        if pump is not self._pump:  # stopped by us
            return
        if error is not None:
            self.fail(cast(Exception, error))
        elif pump.cancelled():
            self.fail(UpstreamBroken("the request was cut off by its sender"))
        elif self._reader.phase == HEAD:
            self._arm()

    def _stop_sending(self) -> bool:
        """Whether all of the request is on its way; if not, the rest will never be."""
        pump, self._pump = self._pump, None
        if pump is None or pump.done():
            return not self._write_blocked
        pump.cancel()
        return False

    # -- the answer

    def _progress(self, received: int) -> None:
        if self._streamed is not None:
            self._streamed.grew(received)
        elif self._linger is None:
            self.deadline = math.inf
            length = self._reader.declared_length()
            if length is not None and length <= SHORT_BODY:
                self._linger = self._loop.call_later(LINGER_S, self._deliver)
            else:
                self._deliver()

    def _deliver(self) -> None:
        """Hand over the head; the body follows."""
        waiter = self._waiter
        assert waiter is not None
        if waiter.done():  # cancelled, and its task has not run yet
            self.abort()
            return
        if self._reader.status >= 400 and not self._stop_sending():
            self._reader.reusable = False  # a refusal: it does not want the rest (RFC 9112, 9.5)
        self._streamed = StreamedAnswer(self._reader, self)
        self._streamed.grew(0)
        waiter.set_result(self._streamed)

    def _finish(self) -> None:
        """All of the answer is here. The connection goes back before anybody is told."""
        waiter, streamed = self._waiter, self._streamed
        assert waiter is not None
        wanted = streamed is not None or not waiter.done()
        if wanted and self._reader.reusable and self._stop_sending():
            self._settle()
            if self._read_paused:
                self.resume()
            self._state = IDLE
            self._reused = True
            self._owner.released(self)
        else:
            self.abort()
        if streamed is not None:
            streamed.end()
        elif wanted:
            waiter.set_result(WholeAnswer(self._reader))

    def _settle(self) -> None:
        """Forget the exchange and everything that was pending for it."""
        self._waiter = self._streamed = None
        self.deadline = math.inf
        if self._pump is not None:
            self._stop_sending()
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    def _gone(self, error: Exception | None, *, unannounced: bool = False) -> None:
        """`unannounced`: without an end of file. Over TLS that is a good-bye which only the server
        can say; anyone on the way can cut the connection, and what comes by then is half. (uvloop
        tells the two apart, asyncio's own loop does not.)"""
        streamed = self._streamed
        said_so = error is None and not (self._tls and unannounced)
        if streamed is not None and said_so and self._reader.ends_at_close():
            self.abort()
            streamed.end()
        elif self._state == BUSY:
            where = "in the middle of its" if self._reader.phase == BODY else "without an"
            self._broken(f"closed the connection {where} answer{self._hint(error)}")
        else:
            self.abort()

    def _hint(self, error: Exception | None) -> str:
        """With TLS 1.3 a server that refuses the client does so behind the handshake."""
        if isinstance(error, ssl.SSLError) and error.reason:
            return f" ({error.reason.lower().replace('_', ' ')})"
        if self._tls and not self._answered and not self._reused:
            return " (it may want a client certificate, or another one: `tls_cert`)"
        return ""

    def _broken(self, how: str) -> None:
        self.fail(UpstreamBroken(f"upstream {self._owner.display_url} {how}"))

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tls = transport.get_extra_info("sslcontext") is not None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._state != BUSY:
            self.abort()  # nobody asked
            return
        self._answered = True
        reader = self._reader
        try:
            reader.feed(data)
        except Nonsense:
            self._broken("sent something that is not HTTP/1.1")
            return
        if reader.phase == DONE:
            self._finish()
        elif reader.phase == BODY:
            self._progress(len(data))

    def eof_received(self) -> None:
        self._gone(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone(exc, unannounced=True)
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self._write_blocked = True

    def resume_writing(self) -> None:
        self._write_blocked = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
