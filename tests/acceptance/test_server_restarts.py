"""The agent server is restarted in the middle of ten tasks, and the record stays the truth.

Rows P8 and P11 of docs/faults.md on the real thing: stopped as by a deployment, and killed.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.acceptance.rig.gates import Gatekeeper, gatekeeper
from tests.acceptance.rig.mortal import MortalServer
from tests.acceptance.rig.servers import Sidecar, sidecar
from tests.acceptance.rig.truth import disagreements
from tests.contract.agent_client import AgentClient, agent_client
from tests.support.waiting import eventually_got

Json = dict[str, Any]

WORKERS = 4
"""Fewer than there are tasks, so that some are queued when the server goes down."""
PATIENCE = 120.0

LIVE = ("pending", "running", "waiting")


BEFORE = {
    "finished": "success",
    "failed": "error",
    "asking": "waiting",
    "cancelled": "cancelled",
    "working": "running",
    "chained": "pending",
    "breaking": "running",
    "endless": "running",
    "queued": "pending",
    "late": "pending",
}
"""Ten tasks in the middle of their work. `chained` has a follow-up in the server's queue."""

AFTER = BEFORE | {
    "working": "success",
    "chained": "success",
    "breaking": "error",
    "queued": "success",
    "late": "success",
}


@dataclass(frozen=True, slots=True)
class Town:
    """A server, the sidecar before it, and clients of both."""

    server: MortalServer
    client: AgentClient
    """Talks to the sidecar."""
    direct: AgentClient
    """Talks to the server behind its back."""
    admin: AgentClient
    gates: Gatekeeper
    started: dict[str, str] = field(default_factory=dict)
    """The name of a task -> its id."""

    async def start(self, name: str, graph: str, orders: str = "") -> None:
        self.started[name] = await self.client.new_thread({"subagent_name": name})
        await self.run(name, graph, orders)

    async def run(self, name: str, graph: str, orders: str = "", **more: str) -> None:
        await self.client.start(self.started[name], graph, text=f"{name} {orders}", **more)

    async def put_to_work(self, name: str, graph: str) -> None:
        """Start a task that stops in the middle, until its gate opens."""
        await self.start(name, graph, self.gates.order(name))
        await self.gates.reached(name)

    async def cancel(self, name: str) -> None:
        """As the supervisor does."""
        run_id = (await self.tasks())[name]["run_id"]
        path = f"/threads/{self.started[name]}/runs/{run_id}/cancel?wait=0&action=interrupt"
        assert (await self.client.call("POST", path)).status == 202

    async def tasks(self) -> dict[str, Json]:
        """All that is on record, by name."""
        page = (await self.admin.call("GET", "/v1/tasks?all=true&limit=200")).json
        return {task["agent_name"]: task for task in page["tasks"]}

    async def statuses_become(self, expected: Mapping[str, str]) -> None:
        async def ask() -> dict[str, str]:
            return {name: task["status"] for name, task in (await self.tasks()).items()}

        await eventually_got(ask, lambda found: found == expected, within=PATIENCE)

    async def becomes_unknown(self) -> None:
        """The record comes to say of every live task that nobody knows how it stands."""

        async def ask() -> list[str]:
            tasks = (await self.tasks()).values()
            return [
                t["agent_name"] for t in tasks if t["status"] in LIVE and t["unknown_since"] is None
            ]

        await eventually_got(ask, lambda known: not known, within=PATIENCE)

    async def tells_the_truth(self) -> None:
        """The record comes to say of every task that was started, and no other, what the server
        says of it."""

        async def ask() -> dict[str, Json]:
            tasks = (await self.tasks()).items()
            return {name: wrong for name, task in tasks if (wrong := await self._untruths(task))}

        await eventually_got(ask, lambda wrong: not wrong, within=PATIENCE)
        tasks = await self.tasks()
        assert {name: task["task_id"] for name, task in tasks.items()} == self.started

    async def _untruths(self, task: Json) -> Json:
        """Field -> (recorded, true)."""
        known = {"unknown_since": None, "in_doubt": False}
        if not await self.kept(task["agent_name"]):
            lost = known | {"status": "cancelled", "ended_by": "server_lost"}
            return {key: (task[key], true) for key, true in lost.items() if task[key] != true}
        thread = await self.direct.call("GET", f"/threads/{task['task_id']}")
        runs = await self.direct.call("GET", f"/threads/{task['task_id']}/runs?limit=100")
        return disagreements(task, expected=known, runs=runs.json, thread=thread.json)

    async def kept(self, name: str) -> bool:
        """Whether the server still has the task's thread."""
        answer = await self.direct.call("GET", f"/threads/{self.started[name]}")
        assert answer.status in (200, 404), answer
        return answer.status == 200


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MortalServer]:
    """Not the one of the other tests: they want theirs alive."""
    mortal = MortalServer(tmp_path, jobs=WORKERS)
    mortal.start()
    yield mortal
    mortal.close()


@pytest.fixture
def its_sidecar(tmp_path: Path, server: MortalServer) -> Iterator[Sidecar]:
    with sidecar(tmp_path, name="sidecar", upstreams={"main": server.url}) as parts:
        yield parts
    log = parts.service.log.read_text("utf-8")
    assert "Traceback" not in log, log


@pytest_asyncio.fixture
async def town(server: MortalServer, its_sidecar: Sidecar) -> AsyncIterator[Town]:
    async with (
        agent_client(its_sidecar.url) as client,
        agent_client(server.url) as direct,
        agent_client(its_sidecar.admin) as admin,
        gatekeeper() as gates,
    ):
        yield Town(server=server, client=client, direct=direct, admin=admin, gates=gates)


async def fill(town: Town) -> None:
    """Bring the town into the state `BEFORE`, and have the server keep all of it but `late`."""
    await town.start("finished", "researcher")
    await town.start("failed", "failing")
    await town.start("asking", "asker")
    await town.put_to_work("cancelled", "researcher")
    await town.cancel("cancelled")
    before = {name: BEFORE[name] for name in ("finished", "failed", "asking", "cancelled")}
    await town.statuses_become(before)

    await town.put_to_work("working", "researcher")
    await town.put_to_work("chained", "researcher")
    await town.put_to_work("breaking", "failing")
    await town.put_to_work("endless", "hang")
    await town.start("queued", "researcher")
    await town.run("chained", "researcher", multitask_strategy="enqueue")
    await town.server.saved()
    await town.start("late", "researcher")
    await town.statuses_become(BEFORE)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_restarted_server_is_followed_to_the_end_of_ten_tasks(
    town: Town, number: signal.Signals
) -> None:
    await fill(town)
    await asyncio.to_thread(town.server.end, number)
    await town.becomes_unknown()
    await town.statuses_become(BEFORE)

    await asyncio.to_thread(town.server.start)
    for name in ("working", "chained", "breaking", "endless"):
        town.gates.open(name)
    await town.tells_the_truth()
    after = AFTER if await town.kept("late") else AFTER | {"late": "cancelled"}
    await town.statuses_become(after)
    await town.tells_the_truth()

    await town.cancel("endless")
    await town.statuses_become(after | {"endless": "cancelled"})
    await town.tells_the_truth()
