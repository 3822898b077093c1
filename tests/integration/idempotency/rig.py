"""Sidecars in this process in front of a fake server, asked for the same start more than once."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, Answer, agent_client, run_of
from tests.integration.http.rig import settings_for

from subagent_sidecar import compose
from subagent_sidecar.config import Settings
from subagent_sidecar.testing import FakeAgentServer, FakeClock

KEY = {"Idempotency-Key": "order-1"}


@dataclass(frozen=True)
class Rig:
    server: FakeAgentServer
    client: AgentClient
    admin: AgentClient
    settings: Settings

    async def start(
        self, thread_id: str, body: Any = None, *, form: str = "", **headers: str
    ) -> Answer:
        fields = headers or KEY
        path = f"/threads/{thread_id}/runs{form}"
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        return await self.client.call("POST", path, body or run_of("hang"), headers=named)

    def sent(self, path: str) -> int:
        return sum(one.method == "POST" and one.raw_path == path for one in self.server.requests)


@asynccontextmanager
async def rig(
    folder: Path | None = None, *, clock: FakeClock | None = None, **values: object
) -> AsyncIterator[Rig]:
    """With a folder its store is a file there, else it is in memory."""
    given = {"drain_timeout": "100ms", **values}
    if folder is not None:
        given["store"] = f"sqlite:///{folder / 'books.db'}"
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(FakeAgentServer())
        settings = settings_for(server.url, **given)
        yield await serving(stack, server, settings, clock)


async def serving(
    stack: AsyncExitStack, server: FakeAgentServer, settings: Settings, clock: FakeClock | None
) -> Rig:
    """A sidecar on `settings`; several may share a store."""
    listeners = compose.bind(settings)
    await stack.enter_async_context(compose.running(settings, listeners, clock=clock))
    client = await stack.enter_async_context(agent_client(listeners.data_url))
    admin = await stack.enter_async_context(agent_client(listeners.admin_url))
    return Rig(server=server, client=client, admin=admin, settings=settings)


def replayed(answer: Answer) -> bool:
    return answer.headers.get("x-subagent-replayed") == "true"
