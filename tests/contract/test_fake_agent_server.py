"""The fake server answers as langgraph-api does: by its recordings, and by one list of facts.

With AGENT_SERVER_URL set the list of facts is also held against the real server there.
"""

import os
from collections.abc import AsyncIterator

import pytest
from tests.contract.agent_client import AgentClient, agent_client
from tests.contract.agent_server_checks import CHECKS, Check
from tests.contract.captures import CONTRACT_HEADERS, Exchange, Replay, flows, structure
from tests.support.waiting import eventually

from subagent_sidecar.testing import (
    FakeAgentServer,
    Script,
    ask,
    assistant_id_of,
    fail,
    hang,
    succeed,
)

_REAL = os.environ.get("AGENT_SERVER_URL")

RECORDED_GRAPHS: dict[str, Script] = {
    "researcher": succeed(0.2),
    "coder": succeed(0.5, steps=5),
    "failing": fail(0.1, message="boom: subagent exploded (secret-ish detail 123)"),
    "asker": ask("Which region should I research?"),
    "hang": hang(),
    **dict.fromkeys(("echo", "nester", "nester_asgi", "multi"), succeed()),
}

STILL_PENDING = {"cancel a pending run", "roll back a pending run"}
ALREADY_ENDED = {"cancel a finished run"}


@pytest.fixture(params=["fake", *([_REAL] if _REAL else [])])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[AgentClient]:
    if request.param != "fake":
        async with agent_client(request.param) as real:
            yield real
        return
    async with FakeAgentServer(heartbeat_seconds=0.5) as server, agent_client(server.url) as fake:
        yield fake


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_facts_of_an_agent_server_hold(client: AgentClient, check: Check) -> None:
    await check(client)


@pytest.mark.parametrize("flow", flows())
async def test_a_recorded_conversation_goes_the_same_way(flow: str) -> None:
    pickup = 60.0 if flow in STILL_PENDING else 0.15
    async with (
        FakeAgentServer(RECORDED_GRAPHS, pickup_seconds=pickup) as server,
        agent_client(server.url) as client,
    ):
        replay = Replay(client)
        for exchange in flows()[flow]:
            answer = await replay.send(exchange)

            headers = {k: v for k, v in answer.headers.items() if k in CONTRACT_HEADERS}
            now = structure(answer.status, headers, answer.body)
            then = structure(exchange.status, exchange.headers, exchange.answer.encode())
            assert now == then, (exchange.method, exchange.path, answer.body)
            if answer.status >= 400:
                assert answer.body.decode() == replay.translated(exchange.answer)
            if exchange.starts_a_run and exchange.flow not in STILL_PENDING:
                await _settle(server, exchange, answer.json["run_id"])


async def _settle(server: FakeAgentServer, exchange: Exchange, run_id: str) -> None:
    """Let the run just started come as far as it was when the next request was recorded."""
    if exchange.json["assistant_id"] == assistant_id_of("hang"):
        await eventually(lambda: run_id in server.executing)
    elif exchange.flow in ALREADY_ENDED:
        await eventually(lambda: run_id in server.executing)
        await eventually(lambda: run_id not in server.executing)
