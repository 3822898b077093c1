"""What tasks used, from a server's thread state to the admin plane."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import Recorder, recording, sidecar
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.testing import FakeAgentServer, Script, fail, succeed

WITHIN = 30.0
PRICES = {"my-model": {"input_per_mtok": 3.0, "output_per_mtok": 15.0}}


def mine(script: Script) -> Script:
    """`script` with a model that has an own price."""
    return replace(script, model="my-model", input_tokens=1_000, output_tokens=100)


GRAPHS: dict[str, Script] = {
    "quick": mine(succeed()),
    "three": mine(succeed(steps=3)),
    "published": replace(succeed(), model="claude-3-haiku-20240307", input_tokens=1_000_000),
    "unpriced": replace(succeed(), model="nobody-sells-this"),
    "long": mine(succeed(600.0, steps=6_000)),
    "silent": fail(),
}


class Plane:
    """Starts tasks through the sidecar, and reads its records."""

    def __init__(self, client: AgentClient, admin: AgentClient) -> None:
        self.client = client
        self._admin = admin

    async def start(self, graph: str, thread_id: str | None = None) -> tuple[str, str]:
        thread_id = thread_id or await self.client.new_thread()
        return thread_id, await self.client.start(thread_id, graph)

    async def task(self, task_id: str) -> Any:
        return (await self._admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]

    async def ended(self, thread_id: str, run_id: str) -> None:
        """Ask after the run, as a supervisor does, until it is over."""
        await self.client.run_when(thread_id, run_id, "success", "error", "interrupted")

    async def used(self, task_id: str, *, messages: int = 1, each: int = 1_000) -> Any:
        """The task once so many messages were read."""
        return await eventually_got(
            lambda: self.task(task_id),
            lambda task: bool(task["usage"]) and task["usage"]["input_tokens"] >= messages * each,
            within=WITHIN,
        )


@asynccontextmanager
async def running(**config: object) -> AsyncIterator[Plane]:
    async with FakeAgentServer(GRAPHS) as server:
        values = {"prices": PRICES, "usage_interval": "200ms", **config}
        async with (
            sidecar(server.url, **values) as front,
            agent_client(f"http://127.0.0.1:{front.port}") as client,
            agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
        ):
            yield Plane(client, admin)


async def test_a_finished_task_shows_what_it_used_and_cost() -> None:
    async with running() as plane:
        thread_id, run_id = await plane.start("three")
        await plane.ended(thread_id, run_id)
        task = await plane.used(thread_id, messages=3)
    wanted = {
        "input_tokens": 3_000,
        "output_tokens": 300,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cost_usd": "0.013500",
        "model": "my-model",
        "models": ["my-model"],
    }
    assert task["usage"] == wanted
    assert [run["usage"] for run in task["runs"]] == [wanted]


async def test_a_model_without_an_own_price_has_the_published_one() -> None:
    async with running() as plane:
        thread_id, run_id = await plane.start("published")
        await plane.ended(thread_id, run_id)
        task = await plane.used(thread_id)
    assert task["usage"]["cost_usd"] == "0.250025"


async def test_a_model_nobody_has_a_price_for_has_tokens_and_no_cost() -> None:
    async with running() as plane:
        thread_id, run_id = await plane.start("unpriced")
        await plane.ended(thread_id, run_id)
        usage = (await plane.used(thread_id, each=100))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (100, 20)
    assert usage["cost_usd"] is None


async def test_a_task_without_messages_of_a_model_has_no_usage() -> None:
    async with running() as plane:
        thread_id, run_id = await plane.start("silent")
        await plane.ended(thread_id, run_id)
        later, later_run = await plane.start("quick")
        await plane.ended(later, later_run)
        await plane.used(later)  # which was read after the first one
        task = await plane.task(thread_id)
    assert task["usage"] is None and task["runs"][0]["usage"] is None


async def test_a_follow_up_counts_what_it_adds() -> None:
    async with running() as plane:
        thread_id, first = await plane.start("three")
        await plane.ended(thread_id, first)
        await plane.used(thread_id, messages=3)
        _, second = await plane.start("quick", thread_id)
        await plane.ended(thread_id, second)
        task = await plane.used(thread_id, messages=4)
    assert [run["usage"]["input_tokens"] for run in task["runs"]] == [3_000, 1_000]
    assert task["usage"]["cost_usd"] == "0.018000"


async def test_a_long_run_shows_what_it_has_used_so_far() -> None:
    async with running() as plane:
        thread_id, run_id = await plane.start("long")
        await plane.client.call("GET", f"/threads/{thread_id}/runs/{run_id}")
        first = await plane.used(thread_id)
        more = first["usage"]["input_tokens"] // 1_000 + 1
        second = await plane.used(thread_id, messages=more)
        assert second["status"] in ("pending", "running")


_EVERYTHING = {
    "thread_id": "t",
    "run_id": "r",
    "status": "success",
    "values": {
        "messages": [{"id": "m", "usage_metadata": {"input_tokens": 7, "output_tokens": 1}}]
    },
}


async def test_the_state_is_asked_for_with_the_key_of_who_started_the_task() -> None:
    body = json.dumps(_EVERYTHING).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    async with (
        recording(head.encode() + b"\r\n\r\n" + body) as server,
        sidecar(server.url) as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
    ):
        key = {"x-api-key": "secret of ann"}
        await client.call("POST", "/threads/t/runs", {"assistant_id": "a"}, headers=key)
        await client.call("GET", "/threads/t/runs/r", headers=key)
        await eventually(lambda: reads_of_state(server), within=WITHIN)
        assert b"secret of ann" in reads_of_state(server)[0]


def reads_of_state(server: Recorder) -> list[bytes]:
    return [request for request in server.own_accord if b"/state" in request.split(b"\r\n")[0]]


async def test_a_cancelled_run_keeps_what_its_finished_steps_used() -> None:
    async with running(usage_interval="0") as plane:
        thread_id, run_id = await plane.start("long")
        await eventually_got(
            lambda: plane.client.call("GET", f"/threads/{thread_id}/state"),
            lambda answer: len(answer.json["values"].get("messages", [])) >= 2,
            within=WITHIN,
        )
        await plane.client.call("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?wait=1")
        await plane.ended(thread_id, run_id)
        task = await plane.used(thread_id)
    assert task["status"] == "cancelled"
