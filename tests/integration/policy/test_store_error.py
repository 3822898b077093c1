"""Starts while the store cannot be asked: refused, or sent on without a record, as policy says."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.integration.http.rig import sidecar

from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.testing import FakeAgentServer, succeed

BODY = {"assistant_id": "researcher", "input": {"messages": []}}
OPEN = "version: 1\non_store_error: fail_open\n"
CLOSED = "version: 1\non_store_error: fail_closed\n"


@dataclass(frozen=True, slots=True)
class Desk:
    server: FakeAgentServer
    client: AgentClient
    admin: AgentClient
    store: Path

    def break_store(self) -> None:
        """It takes no start, as when the disk is full."""
        self._execute("alter table intents rename to intents_gone")

    def mend_store(self) -> None:
        self._execute("alter table intents_gone rename to intents")

    def _execute(self, sql: str) -> None:
        with closing(sqlite3.connect(str(self.store))) as books:
            books.execute(sql)

    async def start(self, **headers: str) -> Answer:
        thread = await self.client.new_thread()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.call("POST", f"/threads/{thread}/runs", BODY, headers=named)

    async def tasks(self) -> list[Any]:
        answer = await self.admin.call("GET", "/v1/tasks?all=true")
        return list(answer.json["tasks"])


@asynccontextmanager
async def desk(folder: Path, policy: str) -> AsyncIterator[Desk]:
    file, store = folder / "p.yaml", folder / "books.db"
    file.write_text(policy, "utf-8")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(FakeAgentServer({"researcher": succeed()}))
        front = await stack.enter_async_context(
            sidecar(server.url, store=f"sqlite:///{store}", policy=str(file))
        )
        client = await stack.enter_async_context(agent_client(f"http://127.0.0.1:{front.port}"))
        admin = await stack.enter_async_context(
            agent_client(f"http://127.0.0.1:{front.admin_port}")
        )
        yield Desk(server, client, admin, store)


@pytest.mark.parametrize("policy", [CLOSED, "version: 1\n"], ids=["said", "usual"])
async def test_a_start_that_cannot_be_recorded_is_refused_and_not_sent(
    tmp_path: Path, policy: str
) -> None:
    async with desk(tmp_path, policy) as at:
        at.break_store()
        answer = await at.start()
        assert (answer.status, answer.json["error"]) == (503, "store_unavailable")
        assert len(at.server.ledger) == 0
        at.mend_store()


async def test_where_the_policy_says_fail_open_it_is_sent_without_a_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(tmp_path, OPEN) as at:
        at.break_store()
        answers = [await at.start() for _ in range(5)]
        assert [answer.status for answer in answers] == [200] * 5
        assert [entry.run_id for entry in at.server.ledger] == [
            answer.json["run_id"] for answer in answers
        ]
        at.mend_store()
        on_record = await at.start()
        assert [task["task_id"] for task in await at.tasks()] == [on_record.json["thread_id"]]
    told = [
        record.getMessage()
        for record in caplog.records
        if getattr(record, "action", "") == "start_unrecorded"
    ]
    assert len(told) == 1  # a minute
    assert "without a record" in told[0] and "no such table" in told[0]


async def test_what_says_that_it_may_be_a_repetition_is_not_sent_without_a_record(
    tmp_path: Path,
) -> None:
    """Only the store knows whether it was made before."""
    async with desk(tmp_path, OPEN) as at:
        at.break_store()
        answer = await at.start(Idempotency_Key="k")
        assert (answer.status, len(at.server.ledger)) == (503, 0)
        at.mend_store()
