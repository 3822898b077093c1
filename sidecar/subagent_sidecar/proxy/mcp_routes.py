"""The tools over MCP, by streamable HTTP."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace

from aiohttp import web

from ..errors import BodyTooLarge, Draining
from ..tools import McpDoor
from . import asgi, headers
from .incoming import Limits, read
from .request import DataRequest

PATH = "/sidecar/mcp"

_MAX_BODY = 8 * 1024 * 1024


class McpRoutes:
    """`/sidecar/mcp`."""

    def __init__(self, *, door: McpDoor, limits: Limits) -> None:
        self._door = door
        self._limits = replace(limits, max_body=_MAX_BODY, inspect_limit=_MAX_BODY)
        self._listening: set[asyncio.Task[object]] = set()
        self._stopping = False

    async def serve(self, request: DataRequest) -> web.StreamResponse:
        if self._stopping:
            raise Draining("the sidecar is stopping; try again shortly")
        incoming = await read(request, self._limits, understand=True)
        if incoming.stream is not None:
            raise BodyTooLarge(f"an MCP message has at most {_MAX_BODY} bytes")
        app = await self._door.app()
        session = headers.text(request.headers.get("mcp-session-id"))
        openers = self._door.sessions.openers
        if session and openers.is_anothers(session, request.principal.supervisor):
            session = None  # it is none for whoever asks
        with ExitStack() as stack:
            if session is not None:
                stack.enter_context(self._door.sessions.present(session))
            sent = await self._served(app, request, incoming.whole or b"")
        if session is not None and request.method == "DELETE" and sent.status < 300:
            await self._door.sessions.end(session)
        return sent

    async def _served(self, app: asgi.App, request: DataRequest, body: bytes) -> web.StreamResponse:
        serving = asyncio.current_task()
        listens = request.method == "GET" and serving is not None
        try:
            if listens and serving is not None:
                self._listening.add(serving)
            return await asgi.serve(app, request, body)
        finally:
            if serving is not None:
                self._listening.discard(serving)

    def stop(self) -> None:
        """Have clients that listen for whatever may come not be waited for; calls are finished."""
        self._stopping = True
        for listening in self._listening:
            listening.cancel()
