"""Real clients, while the agent server sees the sidecar's credentials and no field too many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from langgraph_sdk import get_client
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.integration.auth.rig import new_key
from tests.integration.http.rig import LOCAL, sidecar

from subagent_sidecar.testing import FakeAgentServer

RUN: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}
THEIRS = {"x-service-key": "theirs", "cookie": "theirs", "baggage": "theirs"}


@asynccontextmanager
async def strict() -> AsyncIterator[tuple[FakeAgentServer, str, str]]:
    """A server, where clients connect, and a key: nothing crosses that need not."""
    async with FakeAgentServer() as server:
        upstream = {
            "url": server.url,
            "headers": {"authorization": "Bearer ${TEAM_KEY}"},
            "forward_headers": [],
        }
        async with sidecar(upstreams={"team": upstream}, auth=True) as front:
            yield server, f"http://{LOCAL}:{front.port}", await new_key(front)


def assert_ours_alone(server: FakeAgentServer) -> None:
    seen = [{k.lower(): v for k, v in each.raw_headers} for each in server.received()]
    assert seen
    assert {fields.get(b"authorization") for fields in seen} == {b"Bearer secret"}
    assert not [fields for fields in seen if b"theirs" in b"".join(fields.values())]
    assert not [fields for fields in seen if b"ssk_" in b"".join(fields.values())]


async def test_the_sdk_starts_streams_and_reads() -> None:
    async with strict() as (server, url, key):
        async with get_client(url=url, api_key=key, headers=THEIRS) as client:
            thread = await client.threads.create()
            stream = client.runs.stream(thread["thread_id"], "researcher", input=RUN)
            events = [part.event async for part in stream]
            state: Any = await client.threads.get_state(thread["thread_id"])
        assert "values" in events and state["values"]["messages"]
        assert_ours_alone(server)


async def test_an_mcp_client_starts_and_reads() -> None:
    async with strict() as (server, url, key):
        headers = {"authorization": f"Bearer {key}", "x-api-key": "theirs", **THEIRS}
        async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60.0)) as http:
            transport = streamable_http_client(f"{url}/sidecar/mcp", http_client=http)
            async with Client(transport) as client:
                asked = {"description": "do it", "subagent_type": "researcher"}
                result = await client.call_tool("start_async_task", asked)
        assert not result.is_error, result
        assert server.received("POST", "/runs")
        assert_ours_alone(server)
