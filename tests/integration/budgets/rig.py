"""A sidecar with a policy, between a client and a fake server whose graphs spend money."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import sidecar
from tests.support.waiting import eventually_got

from subagent_sidecar.testing import FakeAgentServer, Script, ask, fail, succeed

WITHIN = 30.0
HEADER = "x-subagent-budget-remaining"
PRICES = {"my-model": {"input_per_mtok": 3.0, "output_per_mtok": 15.0}}
STEP_MICRO_USD = 4_500
"""What each message of a graph costs: 1,000 tokens in and 100 out."""


def _mine(script: Script) -> Script:
    return replace(script, model="my-model", input_tokens=1_000, output_tokens=100)


GRAPHS: dict[str, Script] = {
    "quick": _mine(succeed()),
    "long": _mine(succeed(600.0, steps=6_000)),
    "unpriced": replace(_mine(succeed(600.0, steps=6_000)), model="nobody-sells-this"),
    "idle": _mine(succeed(600.0)),
    "failing": fail(),
    "asker": ask(),
}


@dataclass(frozen=True)
class Desk:
    """`client` talks through the sidecar, `admin` to its admin plane."""

    server: FakeAgentServer
    client: AgentClient
    admin: AgentClient
    admin_port: int

    async def start(self, graph: str, session: str = "s1", thread_id: str | None = None) -> Any:
        """The answer to a start, and the thread it was for."""
        thread_id = thread_id or await self.client.new_thread()
        answer = await self.client.call(
            "POST",
            f"/threads/{thread_id}/runs",
            {"assistant_id": graph},
            headers={"x-subagent-session": session},
        )
        return thread_id, answer

    async def task(self, task_id: str) -> Any:
        return (await self.admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]

    async def task_when(self, task_id: str, **fields: object) -> Any:
        """The task once it has these fields."""
        return await eventually_got(
            lambda: self.task(task_id), lambda task: fields.items() <= task.items(), within=WITHIN
        )

    async def used(self, task_id: str, *, steps: int = 1) -> Any:
        return await eventually_got(
            lambda: self.task(task_id),
            lambda t: bool(t["usage"]) and t["usage"]["input_tokens"] >= steps * 1_000,
            within=WITHIN,
        )

    async def events(self, *kinds: str) -> list[Any]:
        path = f"/v1/events?follow=false&limit=1000&kind={','.join(kinds)}"
        found: list[Any] = (await self.admin.call("GET", path)).json["events"]
        return found

    async def event(self, kind: str) -> Any:
        """The first event of a kind, once there is one."""
        found = await eventually_got(lambda: self.events(kind), bool, within=WITHIN)
        return found[0]


@asynccontextmanager
async def desk(folder: Path, policy: Mapping[str, Any], **config: object) -> AsyncIterator[Desk]:
    path = folder / "policy.yaml"
    path.write_text(json.dumps({"version": 1, **policy}), "utf-8")
    values = {
        "prices": PRICES,
        "usage_interval": "200ms",
        "coalesce": "0s",
        "cancel_verify_for": "100ms",
        "policy": str(path),
        **config,
    }
    async with (
        FakeAgentServer(GRAPHS) as server,
        sidecar(server.url, **values) as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        yield Desk(server, client, admin, front.admin_port)
