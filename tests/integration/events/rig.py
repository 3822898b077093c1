"""Something that happens, and clients that follow it."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp import ClientResponse, ClientSession, ClientTimeout, web
from tests.integration.upstream.raw_server import Peer

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.ports import ServerRun, Store
from subagent_sidecar.proxy.admin_events import EventRoutes
from subagent_sidecar.service import Service
from subagent_sidecar.store.sqlite import SqliteStore

PATIENCE_S = 30.0
DEADLINE_S = 20.0
"""When a server that is to stop cuts off whom it still serves."""


@dataclass(frozen=True)
class Told:
    """One event of a stream; `number` is None where it has none of its own."""

    number: int | None
    kind: str
    data: dict[str, Any]


class Stream:
    """A server-sent event stream, read as the standard says. `comments` are those seen so far."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.comments: list[str] = []

    async def next(self) -> Told | None:
        """The next event; None at the end of the stream."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._next()

    async def some(self, count: int) -> list[Told]:
        found = [await self.next() for _ in range(count)]
        assert None not in found
        return [told for told in found if told is not None]

    async def comment(self, text: str) -> None:
        """Read until a comment; no event may come before it."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.comments:
                line = (await self.response.content.readline()).decode()
                assert line == "\n" or line.startswith(":"), line
                self.comments += [line[1:].strip()] if line.startswith(":") else []

    async def _next(self) -> Told | None:
        fields: dict[str, str] = {}
        async for line in self.response.content:
            text = line.decode().rstrip("\n")
            if text.startswith(":"):
                self.comments.append(text[1:].strip())
            elif text:
                name, _, value = text.partition(": ")
                fields[name] = value
            elif fields:
                number = int(fields["id"]) if "id" in fields else None
                return Told(number, fields["event"], json.loads(fields["data"]))
        assert not fields, "an event was cut off"
        return None


@asynccontextmanager
async def following(
    url: str, query: str = "", *, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Stream]:
    """A client of `/v1/events` at `url`, once it has been told that it follows."""
    async with (
        ClientSession(timeout=ClientTimeout(total=None)) as session,
        session.get(f"{url}/v1/events{query}", headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Stream(response)


@dataclass
class Desk:
    """The routes on a server of their own, and what is told to the books behind them."""

    url: str
    store: Store
    service: Service
    routes: EventRoutes
    runner: web.AppRunner

    async def started(self, task_id: str, **facts: Any) -> None:
        usual = {"upstream": "up", "supervisor": "ann", "assistant_id": "graph"}
        intent = await self.service.admit(thread_id=task_id, **{**usual, **facts})
        run = ServerRun(run_id=f"{task_id}-r", thread_id=task_id, status="pending")
        self.service.accepted(intent, [run])

    def seen(self, task_id: str, word: str) -> None:
        self.service.seen.run("up", task_id, f"{task_id}-r", word)


@asynccontextmanager
async def desk(path: Path, **options: float) -> AsyncIterator[Desk]:
    """Over a file; `options` are those of EventRoutes."""
    store = await SqliteStore.open(path)
    service = Service(store=store, clock=SystemClock())
    routes = EventRoutes(service=service, store=store, **options)
    app = web.Application()
    routes.register(app, _whole)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DEADLINE_S)
    await runner.setup()
    await web.SockSite(runner, _listener()).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield Desk(url, store, service, routes, runner)
    finally:
        await runner.cleanup()
        await service.flush()
        await store.aclose()


def _listener() -> socket.socket:
    """A free port whose connections hold little, so that a slow client is soon felt."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    listener.bind(("127.0.0.1", 0))
    return listener


async def _whole(task_id: str) -> str:
    return task_id


def task_id(number: int) -> str:
    return str(UUID(int=number << 32 | number, version=4))


async def answer_starts(peer: Peer) -> None:
    """An agent server that knows how to start a run, and has nothing else."""
    while True:
        request = await peer.request()
        found = re.match(rb"POST /threads/(\S+)/runs ", request)
        body, line = b"{}", b"404 Not Found"
        if found is not None:
            run = {"run_id": f"r-{found[1].decode()}", "thread_id": found[1].decode()}
            body, line = json.dumps({**run, "status": "pending"}).encode(), b"200 OK"
        await peer.send(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (line, len(body), body))


async def start_task(url: str, number: int) -> None:
    """Through the data plane at `url`."""
    body = {"assistant_id": "coder", "input": {}}
    target = f"{url}/threads/{task_id(number)}/runs"
    async with ClientSession() as session, session.post(target, json=body) as response:
        assert response.status == 200
