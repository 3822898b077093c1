"""What a policy says of polls, prices and cancels holds, and follows a reload."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import sidecar
from tests.support.waiting import eventually_got

from subagent_sidecar.testing import FakeAgentServer, FaultKind, Script, hang, succeed

WITHIN = 30.0
GRAPHS: dict[str, Script] = {
    "hang": hang(),
    "quick": replace(succeed(), model="my-model", input_tokens=1_000_000, output_tokens=0),
}


@dataclass(frozen=True, slots=True)
class Desk:
    server: FakeAgentServer
    client: AgentClient
    admin: AgentClient
    file: Path

    async def reload(self, text: str) -> None:
        self.file.write_text(text, "utf-8")
        answer = await self.admin.call("POST", "/v1/policy/reload", {})
        assert answer.status == 200, answer

    async def asked_for(self, thread_id: str, polls: int) -> int:
        """How many of so many polls of a thread the server got to see."""
        before = len(self.server.received("GET", f"/threads/{thread_id}"))
        for _ in range(polls):
            assert (await self.client.call("GET", f"/threads/{thread_id}")).status == 200
        return len(self.server.received("GET", f"/threads/{thread_id}")) - before

    async def cost(self, graph: str) -> str:
        """What a run of it cost."""
        return str((await self.ended(graph))["usage"]["cost_usd"])

    async def ended(self, graph: str) -> Any:
        """The task of a run that ended, once it was read what it used."""
        thread_id = await self.client.new_thread()
        run_id = await self.client.start(thread_id, graph)
        await self.client.run_when(thread_id, run_id, "success")

        return await self.task_when(thread_id, lambda task: bool(task["usage"]))

    async def task_when(self, task_id: str, good: Callable[[Any], bool]) -> Any:
        async def task() -> Any:
            return (await self.admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]

        return await eventually_got(task, good, within=WITHIN)


@asynccontextmanager
async def desk(folder: Path, policy: str, **config: object) -> AsyncIterator[Desk]:
    file = folder / "p.yaml"
    file.write_text(policy, "utf-8")
    async with (
        FakeAgentServer(GRAPHS) as server,
        sidecar(server.url, policy=str(file), **config) as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        yield Desk(server, client, admin, file)


LONG = "version: 1\npolling: {coalesce: 1h}\n"
OFF = "version: 1\npolling: {coalesce: 0}\n"


async def test_how_long_polls_are_shared_follows_the_policy(tmp_path: Path) -> None:
    async with desk(tmp_path, OFF) as at:
        thread_id = await at.client.new_thread()
        assert await at.asked_for(thread_id, 3) == 3
        await at.reload(LONG)
        assert await at.asked_for(thread_id, 3) == 1
        await at.reload(OFF)
        assert await at.asked_for(thread_id, 3) == 3


async def test_what_the_settings_say_of_polls_is_stronger(tmp_path: Path) -> None:
    async with desk(tmp_path, OFF, coalesce="1h") as at:
        thread_id = await at.client.new_thread()
        assert await at.asked_for(thread_id, 3) == 1


def priced(usd: int) -> str:
    return f"version: 1\nprices: {{my-model: {{input_per_mtok: {usd}, output_per_mtok: 0}}}}\n"


async def test_what_tokens_cost_follows_the_policy(tmp_path: Path) -> None:
    async with desk(tmp_path, priced(2), usage_interval="200ms") as at:
        assert await at.cost("quick") == "2.000000"
        await at.reload(priced(3))
        assert await at.cost("quick") == "3.000000"


async def test_a_price_that_is_added_is_that_of_what_ended_before_and_opens_its_budget(
    tmp_path: Path,
) -> None:
    budget = "version: 1\nbudgets: [{name: usd, usd: 9, per: global}]\n"
    async with desk(tmp_path, budget, usage_interval="200ms") as at:
        task = await at.ended("quick")
        assert task["usage"]["cost_usd"] is None
        refused = await at.client.call(
            "POST", f"/threads/{await at.client.new_thread()}/runs", {"assistant_id": "quick"}
        )
        assert (refused.status, refused.json["code"]) == (402, "budget_unpriced")
        await at.reload(budget + priced(2).partition("\n")[2])
        found = await at.task_when(task["task_id"], lambda task: task["usage"]["cost_usd"])
        assert found["usage"]["cost_usd"] == "2.000000"
        await at.client.start(await at.client.new_thread(), "quick")
        [standing] = (await at.admin.call("GET", "/v1/budgets")).json["budgets"]
        assert (standing["unpriced"], standing["amounts"]["usd"]["used"]) == (0, "2.000000")


async def test_how_a_run_is_cancelled_follows_the_policy(tmp_path: Path) -> None:
    """The server ignores the first two: with the usual 15 s this would take half a minute."""
    hasty = "version: 1\nlifecycle:\n  - {name: hasty, verify_for: 50ms, then: escalate}\n"
    async with desk(tmp_path, hasty) as at:
        thread_id = await at.client.new_thread()
        run_id = await at.client.start(thread_id, "hang")
        await at.client.run_when(thread_id, run_id, "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=2)
        answer = await at.admin.call("POST", f"/v1/tasks/{thread_id}/cancel", {"wait_s": 25})
        assert (answer.status, answer.json["outcome"]) == (200, "cancelled")
        assert len(at.server.received("POST", f"/runs/{run_id}/cancel")) == 3
