"""SSE: CPU per event against nginx, gaps, and memory with a thousand streams open.

    python -m tests.bench.streams [--streams 200] [--rate 20] [--seconds 8]

The upstream sends numbered events to every stream; the client checks that none is missing.
"""

import argparse
import asyncio
import sys
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from tests.support.ports import free_port

from . import rig

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
EVENT = b'event: values\r\ndata: {"n": %d, "pad": "%s"}\r\n\r\n'
PATH = "/threads/01a2064f-5864-7545-89d1-a55134a759fd/stream"


@dataclass
class Seen:
    events: int = 0
    gaps: int = 0


async def serve(port: int, rate: float) -> None:
    """An SSE server: one numbered event to each stream every 1/rate seconds."""

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        writer.write(HEAD)
        number = 0
        try:
            while True:
                data = b'event: values\r\ndata: {"n": %d, "pad": "%s"}\r\n\r\n' % (
                    number,
                    b"z" * 120,
                )
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
                number += 1
                await asyncio.sleep(1 / rate)
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(stream, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


async def listen(port: int, streams: int, seconds: float) -> Seen:
    """Open `streams` streams and read them for `seconds`."""
    seen = Seen()
    stop = time.monotonic() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode()
        )
        expected = 0
        while time.monotonic() < stop:
            line = await reader.readline()
            if line.startswith(b"data: "):
                number = int(line.split(b":")[2].split(b",")[0])
                seen.gaps += number != expected
                expected = number + 1
                seen.events += 1
            elif not line:
                raise RuntimeError("a stream ended early")
        writer.close()

    async with asyncio.TaskGroup() as group:
        for index in range(streams):
            group.create_task(one())
            if index % 50 == 49:
                await asyncio.sleep(0.05)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if (problem := rig.missing_tools()) is not None:
        raise SystemExit(problem)
    print(f"machine: {rig.machine()}")
    with rig.scratch() as folder, ExitStack() as stack:
        upstream = stack.enter_context(_upstream(given.rate))
        nginx = stack.enter_context(rig.nginx_proxy(folder, upstream.port, buffering="off"))
        ours = stack.enter_context(rig.sidecar(folder, upstream.port))
        idle = ours.rss_mb()
        _compare(nginx, ours, given)
        peak = _memory(ours, upstream)
    print(f"memory: idle {idle:.0f} MB (must 80), 1,000 streams {peak:.0f} MB (must 150)")


def _upstream(rate: float) -> AbstractContextManager[rig.Server]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.streams_upstream", str(port), str(rate)]
    return rig.listening("sse upstream", port, command)


def _compare(nginx: rig.Server, ours: rig.Server, given: argparse.Namespace) -> None:
    ratios = []
    for _ in range(given.rounds):
        costs = {}
        for server in (nginx, ours):
            before = server.cpu_s()
            seen = asyncio.run(listen(server.port, given.streams, given.seconds))
            costs[server.name] = (server.cpu_s() - before) / seen.events * 1e6
            print(f"  {server.name:8} {costs[server.name]:6.1f} us per event, {seen.gaps} gaps")
        ratios.append(costs["sidecar"] / costs["nginx"])
    print(
        f"SSE CPU per event, sidecar / nginx: {sorted(ratios)[len(ratios) // 2]:.2f}x "
        "(must 3.5x, ambition 2x)"
    )


def _memory(ours: rig.Server, upstream: rig.Server) -> float:
    async def hold() -> float:
        listening = asyncio.ensure_future(listen(ours.port, 1_000, 12))
        await asyncio.sleep(9)
        rss = ours.rss_mb()
        await listening
        return rss

    return asyncio.run(hold())


if __name__ == "__main__":
    main()
