"""A sidecar in this process between a client and a fake server, and its admin plane."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import sidecar_by
from tests.support.waiting import eventually_got

from subagent_sidecar.ports import Clock
from subagent_sidecar.testing import FakeAgentServer, Script, ask, fail, hang, succeed

Json = dict[str, Any]

GRAPHS: dict[str, Script] = {
    "quick": succeed(),
    "steps": succeed(0.6, steps=6),
    "failing": fail(),
    "asker": ask(),
    "hang": hang(),
}
IMPATIENT = "100ms"
"""How long a fake server gets to obey; it does so at once, if at all."""

WITHIN = 60.0


@dataclass(frozen=True)
class Desk:
    """`client` talks through the sidecar, `direct` behind its back."""

    server: FakeAgentServer
    client: AgentClient
    direct: AgentClient
    admin: AgentClient

    async def started(self, graph: str, *until: str, **more: Any) -> tuple[str, str]:
        """A new task and its run, once the run has one of these statuses."""
        task_id = await self.client.new_thread()
        run_id = await self.client.start(task_id, graph, **more)
        if until:
            await self.direct.run_when(task_id, run_id, *until)
        return task_id, run_id

    async def cancel(self, task_id: str, **body: Any) -> Json:
        """What an operator is told who cancels a task."""
        answer = await self.admin.call("POST", f"/v1/tasks/{task_id}/cancel", body)
        assert answer.status == 200, answer
        told: Json = answer.json
        return told

    async def page(self, task_id: str) -> Json:
        answer = await self.admin.call("GET", f"/v1/tasks/{task_id}")
        assert answer.status == 200, answer
        page: Json = answer.json
        return page

    async def task(self, task_id: str) -> Json:
        task: Json = (await self.page(task_id))["task"]
        return task

    async def story(self, task_id: str) -> list[str]:
        """The kinds of the task's events about cancels and ends."""
        events = (await self.page(task_id))["events"]
        return [e["kind"] for e in events if e["kind"].startswith(("cancel", "ended"))]

    async def story_has(self, task_id: str, kind: str) -> None:
        await eventually_got(
            lambda: self.story(task_id), lambda kinds: kind in kinds, within=WITHIN
        )

    def cancels(self, run_id: str) -> list[str]:
        """The actions the server was asked for, in order."""
        return [
            "rollback" if "action=rollback" in received.raw_query else "interrupt"
            for received in self.server.received("POST", f"/runs/{run_id}/cancel")
        ]


@asynccontextmanager
async def desk_before(
    server: FakeAgentServer, *, clock: Clock | None = None, **config: object
) -> AsyncIterator[Desk]:
    """A sidecar in front of a server that is there already."""
    values = {"cancel_verify_for": IMPATIENT, "coalesce": "0s", **config}
    async with (
        sidecar_by(clock, server.url, **values) as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
        agent_client(server.url) as direct,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        yield Desk(server, client, direct, admin)


@asynccontextmanager
async def desk(
    *, pickup_seconds: float = 0.0, clock: Clock | None = None, **config: object
) -> AsyncIterator[Desk]:
    async with (
        FakeAgentServer(GRAPHS, pickup_seconds=pickup_seconds) as server,
        desk_before(server, clock=clock, **config) as at,
    ):
        yield at
