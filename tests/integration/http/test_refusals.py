"""Starts that may not be: what the client gets, on every door of plain HTTP, and what is left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.integration.http.rig import LOCAL, sidecar
from tests.support.waiting import eventually

from subagent_sidecar.testing import FakeAgentServer, FaultKind, succeed

POLICY = """
version: 1
limits:
  - {name: no-coder, match: {agent: coder}, deny: true, message: Do the coding yourself.}
budgets:
  - {name: once, match: {agent: once}, runs: 1, per: task, window: 1h}
"""
GRAPHS = {"coder": succeed(), "once": succeed(), "writer": succeed()}
KEY = {"x-api-key": "secret"}
WORK: dict[str, Any] = {"assistant_id": "coder", "input": {"messages": []}}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    file = tmp_path / "p.yaml"
    file.write_text(POLICY, "utf-8")
    return str(file)


@asynccontextmanager
async def front(server: FakeAgentServer, policy: str) -> AsyncIterator[AgentClient]:
    """A client of a sidecar that lets no coder in, in front of `server`."""
    async with (
        sidecar(server.url, policy=policy) as parts,
        agent_client(f"http://{LOCAL}:{parts.port}") as client,
    ):
        yield client


async def thread(client: AgentClient) -> str:
    answer = await client.call("POST", "/threads", {"metadata": {}}, headers=KEY)
    thread_id: str = answer.json["thread_id"]
    return thread_id


async def start(client: AgentClient, thread_id: str, agent: str = "coder") -> Answer:
    body = {**WORK, "assistant_id": agent}
    return await client.call("POST", f"/threads/{thread_id}/runs", body, headers=KEY)


DOORS: list[tuple[str, Any]] = [
    ("/threads/THREAD/runs", WORK),
    ("/threads/THREAD/runs/stream", WORK),
    ("/threads/THREAD/runs/wait", WORK),
    ("/threads/THREAD/runs/crons", {**WORK, "schedule": "0 0 1 1 *"}),
    ("/runs", WORK),
    ("/runs/stream", WORK),
    ("/runs/wait", WORK),
    ("/runs/batch", [{**WORK, "assistant_id": "writer"}, WORK]),
    ("/runs/crons", {**WORK, "schedule": "0 0 1 1 *"}),
]


@pytest.mark.parametrize(("path", "body"), DOORS, ids=[path for path, _ in DOORS])
async def test_a_refusal_is_one_flat_object_and_nothing_of_the_start_is_sent(
    path: str, body: Any, policy: str
) -> None:
    async with FakeAgentServer(GRAPHS) as server, front(server, policy) as client:
        place = path.replace("THREAD", await thread(client))
        headers = {"x-request-id": "mine-1"}
        answer = await client.call("POST", place, body, headers=headers)
        assert not server.received("POST", path.removeprefix("/threads/THREAD"))
    assert answer.status == 403
    assert answer.headers["x-subagent-sidecar"] == "refused"
    assert answer.headers["content-type"] == "application/json"
    told = answer.json
    assert told["message"] == told["detail"]
    assert "Do the coding yourself." in told["message"]
    assert (told["code"], told["rule"], told["policy"]) == ("denied", "no-coder", "p")
    assert told["request_id"] == answer.headers["x-request-id"] == "mine-1"


async def test_a_spent_budget_says_when_there_will_be_more(policy: str) -> None:
    async with FakeAgentServer(GRAPHS) as server, front(server, policy) as client:
        thread_id = await thread(client)
        assert (await start(client, thread_id, "once")).status == 200
        answer = await start(client, thread_id, "once")
    told = answer.json
    assert answer.status == 402
    assert (told["code"], told["limit"], told["current"]) == ("budget_runs", 1, 1)
    assert (told["scope"], told["scope_id"]) == ("task", thread_id)
    assert int(answer.headers["retry-after"]) == told["retry_after_s"]
    assert 0 < told["retry_after_s"] <= 3_601


async def test_the_thread_made_for_a_refused_start_is_removed_with_its_callers_key(
    policy: str,
) -> None:
    async with FakeAgentServer(GRAPHS) as server, front(server, policy) as client:
        thread_id = await thread(client)
        assert (await start(client, thread_id)).status == 403
        await eventually(lambda: server.received("DELETE"))
        asked = [each for each in server.requests if each.method in ("GET", "DELETE")]
        async with agent_client(server.url) as direct:
            assert (await direct.call("GET", f"/threads/{thread_id}")).status == 404
    assert [(each.method, each.raw_path) for each in asked] == [
        ("GET", f"/threads/{thread_id}/runs"),
        ("GET", f"/threads/{thread_id}"),
        ("DELETE", f"/threads/{thread_id}"),
    ]
    assert all((b"x-api-key", b"secret") in each.raw_headers for each in asked)


async def test_a_task_that_may_not_go_on_keeps_its_thread(policy: str) -> None:
    """And whoever is refused next is cleaned up after all the same."""
    async with FakeAgentServer(GRAPHS) as server, front(server, policy) as client:
        task_id, other = await thread(client), await thread(client)
        await start(client, task_id, "once")
        assert (await start(client, task_id, "once")).status == 402
        assert (await start(client, other)).status == 403
        await eventually(lambda: server.received("DELETE"))
        removed = [each.raw_path for each in server.received("DELETE")]
        async with agent_client(server.url) as direct:
            assert (await direct.call("GET", f"/threads/{task_id}")).status == 200
    assert removed == [f"/threads/{other}"]


async def test_the_answer_waits_for_no_tidying_and_neither_does_the_end(policy: str) -> None:
    async with FakeAgentServer(GRAPHS) as server:
        server.faults.add(FaultKind.HANG, "/threads/*/runs", method="GET")
        async with front(server, policy) as client:
            thread_id = await thread(client)
            assert (await start(client, thread_id)).status == 403
            await eventually(lambda: server.received("GET"))
        assert not server.received("DELETE")


async def test_a_start_on_a_thread_that_is_just_being_removed_waits_until_it_is_gone(
    policy: str,
) -> None:
    """Else its run could begin, and go on unseen on a thread that is no more."""
    async with FakeAgentServer(GRAPHS) as server, front(server, policy) as client:
        server.faults.add(FaultKind.DELAY_HEAD, "/threads/*", method="DELETE", seconds=0.5)
        thread_id = await thread(client)
        await start(client, thread_id)
        await eventually(lambda: server.received("DELETE"))
        answer = await start(client, thread_id, "writer")
        (removal,), (start_sent,) = server.received("DELETE"), server.received("POST", "/runs")
    assert answer.status == 404
    assert (start_sent.at - removal.at).total_seconds() > 0.4


async def test_a_start_that_is_not_read_is_not_let_by_rules_that_must_know_what_it_says(
    policy: str,
) -> None:
    filler = {"assistant_id": "writer", "input": {"messages": [], "filler": "x" * 2_000}}
    async with (
        FakeAgentServer(GRAPHS) as server,
        sidecar(server.url, policy=policy, inspect_limit="1KiB") as parts,
        agent_client(f"http://{LOCAL}:{parts.port}") as client,
    ):
        for path, body in (("/runs", filler), ("/runs/batch", [filler])):
            answer = await client.call("POST", path, body, headers=KEY)
            assert (answer.status, answer.json["code"]) == (413, "body_too_large")
        assert not server.ledger.run_ids


async def test_a_batch_that_cannot_be_counted_is_not_let_in(policy: str) -> None:
    async with FakeAgentServer(GRAPHS) as server, front(server, policy) as client:
        answer = await client.call("POST", "/runs/batch", {"not": "a list"}, headers=KEY)
        assert (answer.status, answer.json["code"]) == (400, "bad_body")
        assert not server.ledger.run_ids
