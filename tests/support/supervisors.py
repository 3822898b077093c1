"""Several supervisors at one data plane, told apart by a header of the tests' own: who a key names
is another matter."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from tests.contract.agent_client import AgentClient, Answer

from subagent_sidecar.core.principal import ANONYMOUS, Principal
from subagent_sidecar.proxy.agent_routes import DataPlane
from subagent_sidecar.proxy.request import DataRequest
from subagent_sidecar.proxy.server import DataServer

NAME = "x-test-supervisor"
EVERY_TASK = "operator"
"""The supervisor that sees what all do."""


@asynccontextmanager
async def told_apart(plane: DataPlane) -> AsyncIterator[str]:
    """The address of a listener that takes callers for who they say they are."""

    async def handle(request: DataRequest) -> web.StreamResponse:
        name = request.headers.get(NAME)
        if name is not None:
            request.principal = Principal(name, every_task=name == EVERY_TASK)
        else:
            request.principal = ANONYMOUS
        return await plane.handle(request)

    server = DataServer(handle, header_timeout_s=30.0, max_connections=1_000)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        server.pre_shutdown()
        await server.shutdown(0.1)


class SupervisorClient(AgentClient):
    """What one of them says."""

    def __init__(self, client: AgentClient, name: str) -> None:
        super().__init__(client.session, client.url)
        self.name = name

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        named = {NAME: self.name, **(headers or {})}
        return await super().call(method, path, body, raw=raw, headers=named)

    async def tool(self, tool: str, **arguments: object) -> Answer:
        """In session s1, as all of them call theirs."""
        named = {"x-subagent-session": "s1"}
        return await self.call("POST", f"/sidecar/tools/{tool}", arguments, headers=named)
