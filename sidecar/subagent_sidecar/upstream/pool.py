"""One agent server: its kept connections, its circuit breaker, and `send`."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

from ..core.metrics.meters import UpstreamMeter
from ..errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from ..ports import Exchange, Outgoing
from .breaker import Breaker, BreakerState
from .connection import Connection
from .sending import encode

SWEEP_S: Final = 0.1
"""How exact deadlines are: one timer that looks at all connections beats one for each request."""


class HttpUpstream:
    """`ports.Upstream` over HTTP/1.1 with kept connections.

    `display_url` names the server in messages and holds no credentials. `keepalive` is below the
    five seconds after which the usual servers hang up. Connections are not limited in number: a
    stream may last for hours. `now` is a monotonic clock in seconds. The breaker opens after
    `breaker_threshold` failures to connect, for `breaker_pause` seconds, doubled up to
    `breaker_longest_pause`; kept connections are used all the same.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        display_url: str,
        now: Callable[[], float],
        ssl_context: ssl.SSLContext | None = None,
        connect_timeout: float = 5.0,
        keepalive: float = 4.0,
        breaker_threshold: int = 5,
        breaker_pause: float = 1.0,
        breaker_longest_pause: float = 15.0,
    ) -> None:
        self.display_url = display_url
        self.meter = UpstreamMeter()
        self.ssl_context = ssl_context
        self._host = host
        self._port = port
        self._connect_timeout = connect_timeout
        self._keepalive = keepalive
        self._now = now
        self._breaker = Breaker(
            threshold=breaker_threshold,
            pause=breaker_pause,
            longest_pause=breaker_longest_pause,
            now=now,
        )
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []  # the longest idle first
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    @property
    def idle_connections(self) -> int:
        return len(self._idle)

    @property
    def breaker_state(self) -> BreakerState:
        return self._breaker.state

    async def send(self, request: Outgoing) -> Exchange:
        wire = encode(request)
        begun = self._now()
        try:
            connection = self._take_idle(begun)
            if connection is None:
                connection = await self._open()
                exchange = await connection.exchange(request, wire)
            else:
                waiter = connection.begin(request, wire, begun)  # one layer less than `exchange`
                try:
                    exchange = await waiter
                except asyncio.CancelledError:
                    connection.left(waiter)
                    raise
                except UpstreamBroken:
                    replayable = request.replayable and request.body is None
                    if not (replayable and connection.went_stale):
                        raise
                    connection = await self._open()
                    exchange = await connection.exchange(request, wire)
        except UpstreamError as error:
            self.meter.failed(error)
            raise
        # A whole answer has left its connection idle, and its time there.
        ended = connection.idle_since
        exchange.waited_s = waited_s = (ended if ended >= begun else self._now()) - begun
        self.meter.answered(exchange.status, waited_s)
        return exchange

    async def aclose(self) -> None:
        """Drop every connection; running exchanges end as broken. Returns when all are gone."""
        self._closed = True
        for connection in tuple(self._connections):
            connection.fail(UpstreamBroken(f"{self._prefix}is no longer used"))
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._connections:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    # -- what connections report

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._sweeper is None:
            self._schedule_sweep()

    def released(self, connection: Connection) -> None:
        connection.idle_since = self._now()
        self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._emptied is not None and not self._connections and not self._emptied.done():
            self._emptied.set_result(None)

    # -- kept connections

    def _take_idle(self, now: float) -> Connection | None:
        """The last one released: few stay warm, the others grow old and go."""
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since + self._keepalive > now and connection.usable():
                return connection
            connection.abort()
        return None

    def _schedule_sweep(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        now = self._now()
        while self._idle and self._idle[0].idle_since + self._keepalive <= now:
            self._idle.pop(0).abort()
        for connection in tuple(self._connections):
            if connection.deadline <= now:
                connection.expire()
        self._sweeper = None
        if self._connections:
            self._schedule_sweep()

    # -- connecting

    async def _open(self) -> Connection:
        if self._closed:
            raise self._out_of_use()
        attempt = self._breaker.enter()
        if attempt is None:
            raise self._fail_fast()
        try:
            connection = await self._connect()
        except UpstreamError as error:
            self._breaker.failed(attempt, error.message.removeprefix(self._prefix))
            raise
        except BaseException:
            self._breaker.abandoned(attempt)
            raise
        self._breaker.succeeded()
        if self._closed:
            connection.abort()
            raise self._out_of_use()
        if connection.closed:
            raise UpstreamUnreachable(f"{self._prefix}closed the connection before it was used")
        return connection

    async def _connect(self) -> Connection:
        connection = Connection(self, self._now)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._make(connection)
        except TimeoutError:
            message = f"{self._prefix}took no connection within {self._connect_timeout:g} s"
            raise UpstreamTimeout(message, phase="connect") from None
        except (OSError, UnicodeError) as error:
            raise UpstreamUnreachable(self._prefix + how_it_failed(error)) from error
        return connection

    async def _make(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: connection, self._host, self._port, ssl=self.ssl_context
            )
        except BaseException:
            self.lost(connection)  # uvloop does not tell one that is cancelled when just made
            raise

    def _fail_fast(self) -> UpstreamUnreachable:
        wait = self._breaker.retry_after_s
        return UpstreamUnreachable(
            f"{self._prefix}has been unreachable for {self._breaker.failing_for_s:.0f} s "
            f"(it {self._breaker.why}); the next try is in {wait:.1f} s",
            retry_after_s=wait,
        )

    def _out_of_use(self) -> UpstreamUnreachable:
        return UpstreamUnreachable(f"{self._prefix}is no longer used")

    @property
    def _prefix(self) -> str:
        return f"upstream {self.display_url} "


def how_it_failed(error: OSError | UnicodeError) -> str:
    """The failure of an attempt to connect, in words that follow the server's name."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "has a host name that does not resolve"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"failed the TLS handshake ({getattr(error, 'reason', None) or 'closed'})"
    # Several addresses (localhost) fail as one OSError that has only a text.
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return "refused the connection"
    return f"cannot be reached ({error.strerror or type(error).__name__})"
