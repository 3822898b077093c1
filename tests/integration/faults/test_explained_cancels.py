"""What a supervisor reads of a run after its operator cancelled it, whatever the server did."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.integration.http.rig import LOCAL, sidecar

from subagent_sidecar.core.splice import with_members
from subagent_sidecar.testing import FakeAgentServer, FaultKind

REASON = "100.02 of 100 USD are spent"


@dataclass(frozen=True)
class Rig:
    """A run of a graph that hangs, at work. `client` talks to the sidecar, `direct` to the server
    behind its back."""

    server: FakeAgentServer
    client: AgentClient
    direct: AgentClient
    admin: AgentClient
    thread_id: str
    run_id: str

    @property
    def path(self) -> str:
        return f"/threads/{self.thread_id}/runs/{self.run_id}"

    async def poll(self) -> Answer:
        return await self.client.call("GET", self.path)

    async def truth(self) -> Answer:
        return await self.direct.call("GET", self.path)

    async def cancel(self, **more: Any) -> Mapping[str, Any]:
        """As the operator does it; what the operator is told."""
        path = f"/v1/tasks/{self.thread_id}/cancel"
        answer = await self.admin.call("POST", path, {"reason": REASON, **more})
        assert answer.status == 200, answer
        told: Mapping[str, Any] = answer.json
        return told


@asynccontextmanager
async def working(**values: object) -> AsyncIterator[Rig]:
    async with (
        FakeAgentServer() as server,
        sidecar(server.url, **values) as front,
        agent_client(f"http://{LOCAL}:{front.port}") as client,
        agent_client(server.url) as direct,
        agent_client(f"http://{LOCAL}:{front.admin_port}") as admin,
    ):
        thread_id = await client.new_thread()
        run_id = await client.start(thread_id, "hang")
        await client.run_when(thread_id, run_id, "running")
        yield Rig(server, client, direct, admin, thread_id, run_id)


def same(told: Answer, truth: Answer) -> bool:
    return (told.status, told.body) == (truth.status, truth.body)


async def test_the_next_poll_after_a_cancel_says_why_and_changes_nothing_else() -> None:
    async with working(coalesce="60s") as rig:
        assert same(await rig.poll(), await rig.truth())
        assert (await rig.cancel())["over"]
        told, truth = await rig.poll(), await rig.truth()
        assert truth.json["status"] == "interrupted"
        assert REASON in told.json["error"]
        explained = {"status": "error", "error": told.json["error"]}
        assert told.body == with_members(truth.body, explained)


async def test_while_the_cancel_is_not_obeyed_every_byte_is_the_servers() -> None:
    async with working() as rig:
        rig.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=None)
        assert not (await rig.cancel(wait_s=0))["over"]
        told = await rig.poll()
        assert (told.json["status"], same(told, await rig.truth())) == ("running", True)


async def test_a_run_that_had_to_be_rolled_back_is_explained_all_the_same() -> None:
    async with working(cancel_verify_for="50ms") as rig:
        rig.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=2)
        assert (await rig.cancel())["over"]
        assert (await rig.truth()).status == 404
        told = await rig.poll()
        run = json.loads(told.body)
        assert (told.status, run["run_id"], run["status"]) == (200, rig.run_id, "error")
        assert REASON in run["error"]


async def test_what_only_the_server_calls_cancelled_is_not_explained_as_ended() -> None:
    async with working(cancel_verify_for="50ms", cancel_rollback="never") as rig:
        rig.server.faults.add(FaultKind.CANCEL_LIES, "*/cancel", times=None)
        assert (await rig.cancel())["outcome"] == "unconfirmed"
        told = await rig.poll()
        assert (told.json["status"], same(told, await rig.truth())) == ("interrupted", True)


async def test_an_end_of_the_supervisors_own_is_not_explained() -> None:
    async with working() as rig:
        await rig.client.call("POST", f"{rig.path}/cancel?wait=0&action=interrupt")
        await rig.client.run_when(rig.thread_id, rig.run_id, "interrupted")
        await rig.cancel()
        assert same(await rig.poll(), await rig.truth())


async def test_switched_off_the_model_reads_what_the_server_says() -> None:
    async with working(explain_endings=False) as rig:
        assert (await rig.cancel())["over"]
        told = await rig.poll()
        assert (told.json["status"], same(told, await rig.truth())) == ("interrupted", True)
