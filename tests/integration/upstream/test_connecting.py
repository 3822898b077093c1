"""Row 1: servers that cannot be reached, and the circuit breaker in front of them."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.integration.upstream.raw_server import OK, Connect, Peer, answering, get, read, serving
from tests.support.ports import free_port
from tests.support.waiting import eventually

from subagent_sidecar.errors import UpstreamTimeout, UpstreamUnreachable
from subagent_sidecar.upstream import BreakerState, HttpUpstream
from subagent_sidecar.upstream.pool import how_it_failed

CERTIFICATE = Path(__file__).parent / "localhost.pem"


class Port:
    """A port nobody listens on, so it refuses connections; and nobody else is given it."""

    def __init__(self) -> None:
        self._sockets = [socket.socket()]
        self.number = free_port()
        self._sockets[0].bind(("127.0.0.1", self.number))

    def turn_deaf(self) -> None:
        """From now on its queue is full: connecting to it takes for ever."""
        self._sockets[0].listen(0)
        for _ in range(2):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.number))
            self._sockets.append(waiting)

    def close(self) -> None:
        for held in self._sockets:
            held.close()


@contextmanager
def dead() -> Iterator[Port]:
    with closing(Port()) as port:
        yield port


async def refused(upstream: HttpUpstream) -> UpstreamUnreachable:
    with pytest.raises(UpstreamUnreachable) as raised:
        await upstream.send(get())
    return raised.value


async def test_a_refused_connection_says_who_refused(connect: Connect) -> None:
    with dead() as port:
        error = await refused(connect(port.number))
    assert error.message == f"upstream http://127.0.0.1:{port.number} refused the connection"
    assert error.retry_after_s == 1.0


async def test_a_name_with_several_addresses_is_refused_in_the_same_words(connect: Connect) -> None:
    with dead() as port:
        error = await refused(connect(port.number, host="localhost"))
    assert error.message.endswith("refused the connection")


async def test_a_name_that_cannot_be_a_name_is_unreachable(connect: Connect) -> None:
    error = await refused(connect(1, host=f"{'a' * 64}.invalid"))
    assert error.message.endswith("has a host name that does not resolve")


async def test_a_connection_nobody_accepts_times_out(connect: Connect) -> None:
    with dead() as port:
        port.turn_deaf()
        upstream = connect(port.number, connect_timeout=0.1)
        with pytest.raises(UpstreamTimeout) as raised:
            await upstream.send(get())
    assert raised.value.phase == "connect"
    assert raised.value.message.endswith("took no connection within 0.1 s")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused the connection"),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] again"),
            "refused the connection",
        ),
        (socket.gaierror(socket.EAI_NONAME, "x"), "has a host name that does not resolve"),
        (OSError(errno.ENETUNREACH, "Network down"), "cannot be reached (Network down)"),
        (OSError("odd"), "cannot be reached (OSError)"),
        (ssl.SSLError(1, "x"), "failed the TLS handshake (closed)"),
        (ConnectionResetError(), "cannot be reached (ConnectionResetError)"),
    ],
)
def test_every_failure_to_connect_has_words(error: OSError, words: str) -> None:
    assert how_it_failed(error) == words


async def fail_five_times(upstream: HttpUpstream) -> None:
    for _ in range(5):
        assert upstream.breaker_state is BreakerState.CLOSED
        await refused(upstream)
    assert upstream.breaker_state is BreakerState.OPEN


async def test_an_open_breaker_fails_without_asking_the_server(connect: Connect) -> None:
    clock = [100.0]
    with dead() as port:
        upstream = connect(port.number, now=lambda: clock[0])
        await refused(upstream)
        clock[0] += 11.6
        for _ in range(4):
            await refused(upstream)
    clock[0] += 0.4
    async with serving(answering(OK), port=port.number) as server:
        error = await refused(upstream)
        assert server.connections == 0
    assert error.retry_after_s == pytest.approx(0.6)
    assert error.message == (
        f"upstream http://127.0.0.1:{port.number} has been unreachable for 12 s "
        "(it refused the connection); the next try is in 0.6 s"
    )


async def test_after_the_pause_one_probe_goes_through_and_closes_the_breaker(
    connect: Connect,
) -> None:
    clock = [100.0]
    with dead() as port:
        upstream = connect(port.number, now=lambda: clock[0])
        await fail_five_times(upstream)
    clock[0] += 1.0
    async with serving(answering(OK), port=port.number) as server:
        outcomes = await asyncio.gather(
            *(upstream.send(get()) for _ in range(200)), return_exceptions=True
        )
        failed = [one for one in outcomes if isinstance(one, UpstreamUnreachable)]
        assert (server.connections, len(failed)) == (1, 199)
        assert upstream.breaker_state is BreakerState.CLOSED
        await asyncio.gather(*(upstream.send(get()) for _ in range(3)))


async def test_a_probe_whose_client_left_makes_room_for_another(connect: Connect) -> None:
    clock = [100.0]
    with dead() as port:
        upstream = connect(port.number, now=lambda: clock[0])
        await fail_five_times(upstream)
        clock[0] += 1.0
        port.turn_deaf()
        probing = asyncio.ensure_future(upstream.send(get()))
        await asyncio.sleep(0)
        await refused(upstream)  # while the probe is on its way
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        assert upstream.breaker_state is BreakerState.HALF_OPEN
    async with serving(answering(OK), port=port.number):
        assert (await upstream.send(get())).status == 200


async def test_a_client_closed_while_it_connects_leaves_nothing_open(connect: Connect) -> None:
    async with serving(answering(OK)) as server:
        upstream = connect(server.port)
        sending = asyncio.ensure_future(upstream.send(get()))
        await asyncio.sleep(0)
        await upstream.aclose()
        with pytest.raises(UpstreamUnreachable, match="no longer used"):
            await sending
        await eventually(lambda: upstream.open_connections == 0)


async def test_a_failing_answer_is_no_reason_to_open_the_breaker(connect: Connect) -> None:
    async with serving(answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")) as server:
        upstream = connect(server.port)
        for _ in range(10):
            assert (await upstream.send(get())).status == 503
        assert upstream.breaker_state is BreakerState.CLOSED


async def test_a_kept_connection_is_used_while_the_breaker_is_open(connect: Connect) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await go_on.wait()
        await peer.send(b"0\r\n\r\n")
        await peer.answer()

    async with serving(script) as server:
        upstream = connect(server.port)
        exchange = await upstream.send(get())
        server.stop_listening()
        await fail_five_times(upstream)
        go_on.set()
        await read(exchange)
        assert (await upstream.send(get())).body == b"ok"


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_tls_works_and_keeps_its_connections(connect: Connect) -> None:
    body = b"x" * 1_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    async with serving(answering(answer), tls=server_tls()) as server:
        upstream = connect(server.port, ssl_context=trusting)
        for _ in range(3):
            exchange = await upstream.send(get())
            assert b"".join([piece async for piece in exchange.chunks()]) == body
        assert server.connections == 1
        await upstream.aclose()
        await eventually(lambda: server.open == 0)


async def test_a_certificate_that_is_not_trusted_is_named_as_the_cause(connect: Connect) -> None:
    async with serving(answering(OK), tls=server_tls()) as server:
        error = await refused(connect(server.port, ssl_context=ssl.create_default_context()))
    assert "has a certificate that is not trusted (self" in error.message


async def test_a_server_without_tls_is_unreachable_over_tls(connect: Connect) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    async with serving(script) as server:
        upstream = connect(server.port, ssl_context=ssl.create_default_context())
        assert "failed the TLS handshake" in (await refused(upstream)).message
        assert upstream.open_connections == 0
