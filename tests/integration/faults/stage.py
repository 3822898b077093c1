"""A sidecar in this process, whose server, network and clocks a test can make go wrong.

    client -> sidecar -> ChaosProxy -> FakeAgentServer

Everything a row of the fault table is played with; the words it is judged by are made here.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from tests.acceptance.rig.truth import disagreements
from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.integration.http.rig import settings_for
from tests.support.chaos import ChaosProxy
from tests.support.waiting import eventually_got

from subagent_sidecar import compose
from subagent_sidecar.testing import FakeAgentServer, JumpingClock, Script, hang, succeed

GRAPHS: Mapping[str, Script] = {"hang": hang(), "researcher": succeed()}

EVERY_POLL_IS_ASKED = {"coalesce": "0s"}
PATIENCE = 45.0


@dataclass(frozen=True, slots=True)
class Stage:
    server: FakeAgentServer
    proxy: ChaosProxy
    client: AgentClient
    """Talks to the sidecar."""
    direct: AgentClient
    """Talks to the server behind its back."""
    admin: AgentClient
    clock: JumpingClock
    server_clock: JumpingClock

    async def task(self, task_id: str) -> dict[str, Any] | None:
        answer = await self.admin.call("GET", f"/v1/tasks/{task_id}")
        return answer.json["task"] if answer.status == 200 else None

    async def record_becomes(self, task_id: str, told: str) -> None:
        """Wait until the record tells this, in the words of `in_words`, or one of several."""

        async def ask() -> str:
            return in_words(await self.task(task_id))

        await eventually_got(ask, lambda said: said in either(told), within=PATIENCE)

    async def untruths(self, task_id: str) -> dict[str, Any]:
        """Field -> (recorded, true), if the task is on record."""
        task = await self.task(task_id)
        thread = (await self.direct.call("GET", f"/threads/{task_id}")).json
        listed = await self.direct.call("GET", f"/threads/{task_id}/runs?limit=100")
        runs = [] if listed.status == 404 else listed.json
        if task is None or not task["runs"]:
            return {"runs": runs} if runs else {}
        if not runs:
            kept = {run["run_id"]: run["status"] for run in task["runs"]}
            return {} if set(kept.values()) == {"interrupted"} else {"rolled back": kept}
        return disagreements(task, expected={}, runs=runs, thread=thread)


def either(told: str) -> list[str]:
    """What a cell of the table allows."""
    return told.split(", or ")


def in_words(task: Mapping[str, Any] | None) -> str:
    """A record in the words of the table: pending and running are both `live`, for how soon a
    run begins is the server's business."""
    if task is None:
        return "no task"
    if task["in_doubt"] and not task["runs"]:
        return "in doubt"
    words = ["live" if task["status"] in ("pending", "running") else str(task["status"])]
    if len(task["runs"]) != 1:
        words.append(f"{len(task['runs']) or 'no'} runs")
    if task["in_doubt"]:
        words.append("in doubt")
    if task["ended_by"] == "server_lost":
        words.append("server lost")
    if task["unknown_since"] is not None:
        words.append("unknown")
    if any(run["cancel_unconfirmed_at"] for run in task["runs"]):
        words.append("cancel unconfirmed")
    return ", ".join(words)


async def seen(client: AgentClient, method: str, path: str, body: Any = None) -> str:
    """What a client sees of an answer: its status, whose error it is, or that it broke off."""
    try:
        answer = await client.call(method, path, body)
    except aiohttp.ClientPayloadError:
        return "cut off"
    return " ".join([str(answer.status), *_whose(answer)])


def _whose(answer: Answer) -> list[str]:
    """The code of an error of ours (those of the server have none), or the outcome of an
    operator's cancel."""
    try:
        told = answer.json
    except json.JSONDecodeError:
        return []
    if answer.status >= 500 and "code" in told:
        return [str(told["code"])]
    if "outcome" in told:
        return [str(told["outcome"])]
    return []


@asynccontextmanager
async def staged(config: Mapping[str, Any]) -> AsyncIterator[Stage]:
    """Everything well; `config` are config keys of the sidecar."""
    clock, server_clock = JumpingClock(), JumpingClock()
    async with AsyncExitStack() as stack:
        fake = FakeAgentServer(GRAPHS, clock=server_clock)
        server = await stack.enter_async_context(fake)
        proxy = await stack.enter_async_context(ChaosProxy("127.0.0.1", server.port))
        found = settings_for(
            f"main={proxy.url}", drain_timeout="100ms", **EVERY_POLL_IS_ASKED, **config
        )
        listeners = compose.bind(found)
        await stack.enter_async_context(compose.running(found, listeners, clock=clock))
        yield Stage(
            server=server,
            proxy=proxy,
            client=await stack.enter_async_context(agent_client(listeners.data_url)),
            direct=await stack.enter_async_context(agent_client(server.url)),
            admin=await stack.enter_async_context(agent_client(listeners.admin_url)),
            clock=clock,
            server_clock=server_clock,
        )
