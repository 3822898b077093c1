"""A receiver of pushes, on a real socket: it keeps what it was sent, and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Pushed:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """`answers` are given in turn, then 204s. `silent`: none at all, until it is set."""

    answers: list[int] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    pushed: list[Pushed] = field(default_factory=list)
    port: int = 0
    silent: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.pushed.append(Pushed(request.path, dict(request.headers), body))
        if self.silent is not None:
            await self.silent.wait()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Connection": "close", **self.fields})

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Receiver"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            if self.silent is not None:
                self.silent.set()
            await runner.cleanup()
