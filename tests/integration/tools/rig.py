"""A sidecar between somebody who uses its tools and a fake agent server."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.integration.http.rig import settings_for
from tests.support.waiting import eventually_got

from subagent_sidecar import compose
from subagent_sidecar.ports import Clock
from subagent_sidecar.testing import FakeAgentServer, Script

WITHIN = 30.0


@dataclass(frozen=True)
class Bench:
    """`client` talks to the data plane, `admin` to the other."""

    server: FakeAgentServer
    client: AgentClient
    admin: AgentClient

    async def call(self, tool: str, *, session: str | None = "s1", **arguments: object) -> Answer:
        return await self.send(tool, arguments, {"x-subagent-session": session} if session else {})

    async def send(self, tool: str, body: object, headers: Mapping[str, str] = {}) -> Answer:
        return await self.client.call("POST", f"/sidecar/tools/{tool}", body, headers=headers)

    async def start(self, agent: str, words: str = "do it", **more: Any) -> str:
        """The id of a task that was started."""
        answer = await self.call("start_async_task", description=words, subagent_type=agent, **more)
        assert answer.status == 200, answer
        return str(answer.json["task_id"])

    async def checked(self, task_id: str) -> Any:
        """The JSON that a model reads."""
        answer = await self.call("check_async_task", task_id=task_id)
        assert answer.status == 200, answer
        return json.loads(answer.json["text"])

    async def checked_when(self, task_id: str, status: str) -> Any:
        return await eventually_got(
            lambda: self.checked(task_id), lambda found: found["status"] == status, within=WITHIN
        )

    async def task(self, task_id: str) -> Any:
        return (await self.admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]


@asynccontextmanager
async def bench(
    folder: Path,
    policy: Mapping[str, Any] | None = None,
    *,
    graphs: Mapping[str, Script] | None = None,
    pickup_seconds: float = 0.0,
    clock: Clock | None = None,
    **config: object,
) -> AsyncIterator[Bench]:
    path = folder / "policy.yaml"
    path.write_text(json.dumps({"version": 1, **(policy or {})}), "utf-8")
    values = {"coalesce": "0s", "cancel_verify_for": "100ms", "policy": str(path), **config}
    async with FakeAgentServer(graphs, pickup_seconds=pickup_seconds) as server:
        found = settings_for(server.url, **{"drain_timeout": "100ms", **values})
        listeners = compose.bind(found)
        async with (
            compose.running(found, listeners, clock=clock),
            agent_client(listeners.data_url) as client,
            agent_client(listeners.admin_url) as admin,
        ):
            yield Bench(server, client, admin)
