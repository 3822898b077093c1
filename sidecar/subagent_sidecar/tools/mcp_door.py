"""The tools as an MCP server, made when the first client comes: what it takes to speak MCP takes
seconds to load, and most sidecars never do."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from ..tasks import spawn
from .catalog import Catalog
from .mcp_sessions import McpSessions
from .service import Tools

App = Callable[[Any, Any, Any], Awaitable[None]]


class McpDoor:
    """`app` is ASGI; the Principal who asks stands in `scope["state"]`."""

    def __init__(self, tools: Tools, catalog: Catalog, sessions: McpSessions) -> None:
        self.sessions = sessions
        self._tools = tools
        self._catalog = catalog
        self._loading: asyncio.Task[App] | None = None
        self._running: asyncio.Task[None] | None = None
        self._leases: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def app(self) -> App:
        """Loaded beside the requests of others."""
        if self._loading is None:
            self._loading = spawn(self._load(), name="load MCP", awaited=True)
        return await asyncio.shield(self._loading)

    async def _load(self) -> App:
        module = await asyncio.to_thread(importlib.import_module, f"{__package__}.mcp_server")
        server = module.McpServer(self._tools, self._catalog, self.sessions)
        ready = asyncio.Event()
        self._running = spawn(server.run(ready, self._over), name="MCP", awaited=True)
        self._leases = spawn(self.sessions.run(), name="leases of MCP sessions")
        await ready.wait()
        app: App = server.app
        return app

    async def aclose(self) -> None:
        """End all its sessions' connections. The sessions themselves go on."""
        self._over.set()
        for task in (self._leases, self._loading):
            if task is not None:
                task.cancel()
        tasks = [t for t in (self._leases, self._loading, self._running) if t is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
