"""A sidecar that reaps by short clocks, before a fake server whose graphs hang, ask or go on."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import sidecar
from tests.support.waiting import eventually_got

from subagent_sidecar.testing import FakeAgentServer, Script, ask, hang, succeed

WITHIN = 60.0
LIVE = ("pending", "running", "waiting")
GRAPHS: dict[str, Script] = {
    "hang": hang(),
    "steps": succeed(600.0, steps=6_000),
    "quick": succeed(),
    "asker": ask(),
}
QUICK = {
    "reap_interval": "100ms",
    "usage_interval": "200ms",
    "coalesce": "0s",
    "cancel_verify_for": "30s",
}


@dataclass(frozen=True)
class Desk:
    """`client` talks through the sidecar, `admin` to its admin plane."""

    server: FakeAgentServer
    client: AgentClient
    admin: AgentClient
    admin_url: str

    async def start(self, graph: str = "hang", session: str = "s1") -> tuple[str, str]:
        """The ids of a new task and its run."""
        thread_id = await self.client.new_thread()
        answer = await self.client.call(
            "POST",
            f"/threads/{thread_id}/runs",
            {"assistant_id": graph, "input": {"messages": [{"role": "user", "content": "go"}]}},
            headers={"x-subagent-session": session},
        )
        assert answer.status == 200, answer
        return thread_id, answer.json["run_id"]

    async def task(self, task_id: str) -> Any:
        return (await self.admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]

    async def task_when(self, task_id: str, **fields: object) -> Any:
        return await eventually_got(
            lambda: self.task(task_id), lambda task: fields.items() <= task.items(), within=WITHIN
        )

    async def running(self, *task_ids: str) -> None:
        """Return once they are at work on record; somebody asks, so that it is seen at once."""
        for task_id in task_ids:
            run_id = (await self.task(task_id))["run_id"]
            await self.client.run_when(task_id, run_id, "running")
            await self.task_when(task_id, status="running")

    async def run(self, task_id: str, run_id: str) -> Any:
        """As its supervisor sees it."""
        return (await self.client.call("GET", f"/threads/{task_id}/runs/{run_id}")).json

    async def events(self, *kinds: str) -> list[Any]:
        path = f"/v1/events?follow=false&limit=1000&kind={','.join(kinds)}"
        found: list[Any] = (await self.admin.call("GET", path)).json["events"]
        return found

    async def events_when(self, kind: str, count: int = 1) -> list[Any]:
        return await eventually_got(
            lambda: self.events(kind), lambda found: len(found) >= count, within=WITHIN
        )

    async def say(self, session: str, what: str, **body: object) -> Any:
        """A heartbeat or the end of a session."""
        answer = await self.client.call("POST", f"/sidecar/sessions/{session}/{what}", body)
        assert answer.status == 200, answer
        return answer.json

    async def reap(self, *, dry_run: bool = False) -> Any:
        path = f"/v1/reap?dry_run={str(dry_run).lower()}"
        answer = await self.admin.call("POST", path, {"wait_s": WITHIN})
        assert answer.status == 200, answer
        return answer.json["reaps"]


def policy_file(folder: Path, *rules: Mapping[str, Any], name: str = "policy") -> str:
    path = folder / f"{name}.yaml"
    named = [{"name": f"rule-{number}", **rule} for number, rule in enumerate(rules)]
    path.write_text(json.dumps({"version": 1, "lifecycle": named}), "utf-8")
    return str(path)


@asynccontextmanager
async def desk(
    folder: Path, *rules: Mapping[str, Any], graphs: Mapping[str, Script] = GRAPHS, **config: object
) -> AsyncIterator[Desk]:
    values = {**QUICK, "policy": policy_file(folder, *rules), **config}
    async with (
        FakeAgentServer(dict(graphs)) as server,
        sidecar(server.url, **values) as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        yield Desk(server, client, admin, f"http://127.0.0.1:{front.admin_port}")


def asked(server: FakeAgentServer, *verbs: str) -> Sequence[tuple[str, str]]:
    """(verb, thread id) of the cancels and deletions the server was asked for, in order: verbs are
    `cancel` and `delete`."""
    found = []
    for request in server.requests:
        parts = request.raw_path.split("/")
        if request.method == "DELETE" and len(parts) == 3:
            found.append(("delete", parts[2]))
        if parts[-1] == "cancel":
            found.append(("cancel", parts[2]))
    return [each for each in found if each[0] in verbs]
