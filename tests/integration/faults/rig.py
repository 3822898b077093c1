"""A sidecar process between a client and a fake server, with a chaos proxy behind it.

    client -> sidecar (a process) -> ChaosProxy -> FakeAgentServer (with its ledger)

The question of every test here: does the sidecar's record hold exactly the runs the server took?
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.support.chaos import ChaosProxy
from tests.support.processes import SidecarProcess
from tests.support.waiting import PATIENCE_S, eventually_got

from subagent_sidecar.testing import FakeAgentServer, Script, hang, succeed

GRAPHS: dict[str, Script] = {
    "researcher": succeed(),
    "steps": succeed(0.5, steps=10),
    "hang": hang(),
}

QUICK_TO_DOUBT = {"start_timeout": "2s", "connect_timeout": "2s"}
"""Longer than a machine stands still, for most starts here are to be answered."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the server took on and what the sidecar has on record, as (thread, run) pairs."""

    accepted: list[tuple[str, str]]
    recorded: list[tuple[str, str]]
    in_doubt: list[str]

    @property
    def agree(self) -> bool:
        """The same runs, each of them once, and no open question."""
        return sorted(self.accepted) == sorted(self.recorded) and not self.in_doubt


@dataclass(frozen=True, slots=True)
class Rig:
    server: FakeAgentServer
    proxy: ChaosProxy
    sidecar: SidecarProcess
    client: AgentClient
    """Talks to the sidecar."""
    direct: AgentClient
    """Talks to the server behind its back."""
    admin: AgentClient

    def accepted_on(self, thread_id: str) -> list[str]:
        """The runs the server took on one thread."""
        return [e.run_id for e in self.server.ledger if e.thread_id == thread_id]

    async def tasks(self) -> list[dict[str, Any]]:
        """Every task on record, over all pages."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = (await self.admin.call("GET", f"/v1/tasks?all=true&limit=200{cursor}")).json
            found += page["tasks"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    async def books(self) -> Books:
        tasks = await self.tasks()
        return Books(
            accepted=[(entry.thread_id, entry.run_id) for entry in self.server.ledger],
            recorded=[(t["task_id"], run["run_id"]) for t in tasks for run in t["runs"]],
            in_doubt=[task["task_id"] for task in tasks if task["in_doubt"]],
        )

    async def books_agree(self, *, within: float = PATIENCE_S) -> None:
        await eventually_got(self.books, lambda books: books.agree, within=within)

    async def task(self, task_id: str) -> dict[str, Any]:
        answer = await self.admin.call("GET", f"/v1/tasks/{task_id}")
        assert answer.status == 200, answer
        task: dict[str, Any] = answer.json["task"]
        return task

    async def task_when(self, task_id: str, *statuses: str, within: float = PATIENCE_S) -> None:
        await eventually_got(
            lambda: self.task(task_id), lambda task: task["status"] in statuses, within=within
        )


@asynccontextmanager
async def running_rig(
    folder: Path,
    *,
    config: Mapping[str, Any] | None = None,
    failpoint: str | None = None,
    graphs: Mapping[str, Script] = GRAPHS,
) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        fake = FakeAgentServer(graphs, ledger_path=folder / "ledger.jsonl")
        server = await stack.enter_async_context(fake)
        proxy = await stack.enter_async_context(ChaosProxy("127.0.0.1", server.port))
        sidecar = SidecarProcess(folder, upstreams={"main": proxy.url}, config=config)
        stack.push_async_exit(sidecar.__aexit__)
        await sidecar.start(failpoint=failpoint)
        yield Rig(
            server=server,
            proxy=proxy,
            sidecar=sidecar,
            client=await stack.enter_async_context(agent_client(sidecar.url)),
            direct=await stack.enter_async_context(agent_client(server.url)),
            admin=await stack.enter_async_context(agent_client(sidecar.admin_url)),
        )
