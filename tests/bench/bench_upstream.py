"""What one request costs the upstream client, against aiohttp's client doing the same.

    python -m tests.bench.bench_upstream [requests]

Definition: user + system CPU of this process per exchange, everything of the event loop included,
16 exchanges at a time on uvloop; the server runs in a process of its own. Rows: a GET answered with
830 bytes, a POST of 1 KB answered likewise, and one event of 16 streams (chunks of 300 bytes).
`floor` writes and reads the same bytes with no HTTP at all. The ratios are the figures to quote.
"""

import asyncio
import multiprocessing
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from multiprocessing.queues import SimpleQueue
from typing import cast

import aiohttp
import uvloop
import yarl

from subagent_sidecar.ports import Outgoing
from subagent_sidecar.upstream import HttpUpstream

AT_ONCE = 16
EVENTS = 2000
HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nConnection: keep-alive\r\n"
)
ANSWER = HEAD + b"Content-Length: 830\r\n\r\n" + b"x" * 830
EVENT = b"12c\r\n" + b"e" * 300 + b"\r\n"
BODY = b"b" * 1000
FIELDS = [
    (b"Host", b"127.0.0.1:8123"),
    (b"Accept", b"*/*"),
    (b"Accept-Encoding", b"gzip, deflate"),
    (b"User-Agent", b"langgraph-sdk-py/0.4.14"),
    (b"x-auth-scheme", b"langsmith"),
    (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    (b"x-request-id", b"0191e7a4-7d5c-7b1e-9c58-3f1f6a0f4a11"),
]
Work = Callable[[int], Awaitable[None]]


class Server(asyncio.Protocol):
    """Answers anything; the target /s gets a stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /s"):
            self.transport.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            self.event(EVENTS)
        else:
            self.transport.write(ANSWER)

    def event(self, left: int) -> None:
        self.transport.write(EVENT if left else b"0\r\n\r\n")
        if left:
            asyncio.get_running_loop().call_later(0.002, self.event, left - 1)


def serve(ports: "SimpleQueue[int]") -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


def ours(port: int) -> dict[str, Work]:
    upstream = HttpUpstream(
        host="127.0.0.1", port=port, display_url="http://bench", now=time.monotonic
    )

    async def get(times: int) -> None:
        for _ in range(times):
            request = Outgoing(
                method=b"GET",
                target=b"/threads/t/runs/r",
                headers=FIELDS,
                first_byte_timeout=30.0,
                replayable=True,
            )
            assert len((await upstream.send(request)).body or b"") == 830

    async def post(times: int) -> None:
        for _ in range(times):
            request = Outgoing(
                method=b"POST",
                target=b"/threads/t/runs",
                headers=FIELDS,
                body=BODY,
                first_byte_timeout=30.0,
            )
            assert len((await upstream.send(request)).body or b"") == 830

    async def event(_: int) -> None:
        exchange = await upstream.send(Outgoing(method=b"GET", target=b"/s", headers=FIELDS))
        assert sum([len(piece) async for piece in exchange.chunks()]) == 300 * EVENTS

    return {"GET": get, "POST": post, "event": event}


def theirs(port: int, session: aiohttp.ClientSession) -> dict[str, Work]:
    headers = {name.decode(): value.decode() for name, value in FIELDS}
    base = yarl.URL(f"http://127.0.0.1:{port}")

    async def get(times: int) -> None:
        for _ in range(times):
            async with session.get(base / "t", headers=headers, allow_redirects=False) as answer:
                assert len(await answer.read()) == 830

    async def post(times: int) -> None:
        for _ in range(times):
            async with session.post(
                base / "t", headers=headers, data=BODY, allow_redirects=False
            ) as answer:
                assert len(await answer.read()) == 830

    async def event(_: int) -> None:
        async with session.get(base / "s", headers=headers) as answer:
            assert sum([len(piece) async for piece in answer.content.iter_any()]) == 300 * EVENTS

    return {"GET": get, "POST": post, "event": event}


def floor(port: int) -> Work:
    class Client(asyncio.Protocol):
        answered: asyncio.Future[None]
        missing = len(ANSWER)

        def data_received(self, data: bytes) -> None:
            self.missing -= len(data)
            if self.missing == 0:
                self.missing = len(ANSWER)
                self.answered.set_result(None)

    async def get(times: int) -> None:
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_connection(Client, "127.0.0.1", port)
        request = b"GET / HTTP/1.1\r\n%b\r\n\r\n" % b"\r\n".join(map(b": ".join, FIELDS))
        for _ in range(times):
            client.answered = loop.create_future()
            transport.write(request)
            await client.answered
        transport.abort()

    return get


async def cost(work: Work, times: int, units: int) -> float:
    """CPU microseconds per unit, after a warm-up."""
    await asyncio.gather(*(work(20) for _ in range(AT_ONCE)))
    before = time.process_time()
    await asyncio.gather(*(work(times // AT_ONCE) for _ in range(AT_ONCE)))
    return (time.process_time() - before) / units * 1e6


async def measure(port: int, times: int) -> None:
    session = aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0),
    )
    async with session:
        mine, other = ours(port), theirs(port, session)
        print(f"{'':8}{'floor':>8}{'ours':>8}{'aiohttp':>9}{'ratio':>8}   CPU us")
        for name, work in mine.items():
            units = EVENTS * AT_ONCE if name == "event" else times
            rounds = [
                (await cost(work, times, units), await cost(other[name], times, units))
                for _ in range(3)
            ]
            low = f"{await cost(floor(port), times, times):8.1f}" if name == "GET" else " " * 8
            a, b = sorted(rounds, key=lambda pair: pair[0] / pair[1])[1]
            print(f"{name:8}{low}{a:8.1f}{b:9.1f}{a / b:8.2f}")


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 16_000
    parts = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "httptools", "uvloop"))
    print(f"python {platform.python_version()} {platform.machine()}, {parts}")
    context = multiprocessing.get_context("spawn")
    ports = context.SimpleQueue()
    server = context.Process(target=serve, args=(ports,), daemon=True)
    server.start()
    try:
        uvloop.run(measure(ports.get(), times))
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
