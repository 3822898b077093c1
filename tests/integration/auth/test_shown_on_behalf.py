"""What an agent server is shown of its callers when the sidecar asks, and by which doors they come.

The zero configuration (auth off) is asked as a LangSmith deployment is: by whatever it takes for
its caller (langgraph-api, auth/langsmith/backend.py).
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.auth.rig import ask, new_key, request
from tests.integration.http.rig import LOCAL, Front, Recorder, recorded, recording, sidecar
from tests.integration.http.wire import Answer
from tests.support.waiting import eventually

RUN = {"run_id": "r", "thread_id": "t", "assistant_id": "a", "status": "pending", "metadata": {}}
CLAIMS = (
    *("Authorization: Bearer theirs-1", "X-Api-Key: theirs-2", "Cookie: a=theirs-3"),
    *("x-auth-scheme: langsmith-theirs", "X-Tenant-Id: theirs-4", "X-User-Id: theirs-5"),
    "X-Service-Key: theirs-6",
)
START = '{"assistant_id":"a"}'
REQUESTS = [
    ("GET /threads/t/runs/r", ""),
    ("GET /ok", ""),
    ("POST /threads", "{}"),
    ("POST /threads/t/runs", START),
    ("POST /runs/wait", START),
    ("POST /threads/t/commands", f'{{"id":1,"method":"run.start","params":{START}}}'),
]


def good(body: object = RUN) -> bytes:
    content = json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


async def send(front: Front, line: str, *fields: str, body: str = "") -> Answer:
    async with front.wire() as wire:
        sized = (f"Content-Length: {len(body)}",) if body else ()
        return await wire.ask(request(line, *fields, *sized) + body.encode())


def shown(request: bytes) -> set[str]:
    """Which of CLAIMS are in it, in whatever case their names are."""
    lines = {_plain(line) for line in request.decode().split("\r\n")}
    return {claim for claim in CLAIMS if _plain(claim) in lines}


def _plain(line: str) -> str:
    name, _, value = line.partition(":")
    return f"{name.lower()}: {value.strip()}"


@pytest.mark.parametrize(("line", "body"), REQUESTS)
async def test_without_keys_whatever_names_a_client_arrives_as_it_is(line: str, body: str) -> None:
    async with recorded(good()) as (server, front):
        await send(front, line, *CLAIMS, body=body)
        assert shown(server.last) == set(CLAIMS)


async def test_without_keys_the_sidecar_asks_with_all_that_names_the_caller() -> None:
    async with recorded(good()) as (server, front):
        await send(front, "POST /threads/t/runs", *CLAIMS, body=START)
        await eventually(lambda: _about_the_task(server))
        assert [shown(each) for each in _about_the_task(server)[:1]] == [set(CLAIMS)]


# failures.md 22
async def test_what_does_not_go_on_with_a_request_is_not_asked_with_either() -> None:
    listed = ["cookie", "x-user-id", "x-api-key"]
    async with recording(good()) as server:
        upstreams = {"main": {"url": server.url, "forward_headers": listed}}
        async with sidecar(upstreams=upstreams) as front:
            hop = "Connection: x-user-id, X-API-KEY"
            await send(front, "POST /threads/t/runs", *CLAIMS, hop, body=START)
            await eventually(lambda: _about_the_task(server))
            assert shown(server.last) == {"Cookie: a=theirs-3"}
            assert {*map(frozenset, map(shown, _about_the_task(server)))} == {
                frozenset({"Cookie: a=theirs-3"})
            }


def _about_the_task(server: Recorder) -> list[bytes]:
    return [each for each in server.own_accord if b"/threads/t" in each or b'"t"' in each]


async def test_callers_that_only_their_identity_tells_apart_share_no_answer() -> None:
    """Under one Idempotency-Key, where all come with one credential."""
    async with recorded(good()) as (server, front):
        for user in ("ann", "bob", "ann"):
            fields = ("Idempotency-Key: k", "x-api-key: one for all", f"X-User-Id: {user}")
            got = await send(front, "POST /threads/t/runs", *fields, body=START)
            assert got.status == 200
        assert len([each for each in server.requests if b"POST /threads/t/runs" in each]) == 2


def as_dict(*fields: str) -> dict[str, str]:
    return {name.lower(): value for name, _, value in (each.partition(": ") for each in fields)}


async def session_of(client: AgentClient, headers: Mapping[str, str]) -> dict[str, str]:
    """A new one of MCP, as requests name it."""
    params = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    answer = await client.call("POST", "/sidecar/mcp", body, headers=headers)
    assert answer.status == 200, answer.body
    return {"mcp-session-id": answer.headers["mcp-session-id"]}


@pytest.mark.parametrize("auth", [False, True])
@pytest.mark.parametrize("door", ["http", "mcp"])
async def test_tools_show_what_a_request_would(door: str, auth: bool) -> None:
    async with recording(good([])) as server:
        own = {} if not auth else {"headers": {"x-api-key": "${TEAM_KEY}"}}
        upstreams: dict[str, Any] = {"main": {"url": server.url, **own}}
        async with sidecar(upstreams=upstreams, auth=auth) as front:
            headers = {"accept": "application/json, text/event-stream", **as_dict(*CLAIMS)}
            if auth:
                headers["x-subagent-key"] = await new_key(front)
            async with agent_client(f"http://{LOCAL}:{front.port}") as client:
                if door == "http":
                    answer = await client.call("GET", "/sidecar/tools", headers=headers)
                else:
                    headers |= await session_of(client, headers)
                    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
                    answer = await client.call("POST", "/sidecar/mcp", body, headers=headers)
                assert answer.status == 200, answer.body
        (asked,) = [each for each in server.requests if b"/assistants/search" in each]
        assert shown(asked) == (set() if auth else set(CLAIMS))
        assert (b"x-api-key: secret" in asked, b"ssk_" in asked) == (auth, False)


# Findings behind failures.md, 6: a client library kept x-api-key across origins.
@pytest.mark.parametrize("status", [302, 307])
async def test_questions_of_the_sidecars_own_follow_nobody_elsewhere(status: int) -> None:
    async with recording() as elsewhere, recording(good()) as server:
        upstream = {"url": server.url, "headers": {"x-api-key": "${TEAM_KEY}"}}
        async with sidecar(upstreams={"main": upstream}, auth=True) as front:
            key = f"x-subagent-key: {await new_key(front)}"
            await send(front, "POST /threads/t/runs", key, body=START)
            place = f"Location: {elsewhere.url}/taken"
            server.answer = (
                f"HTTP/1.1 {status} Moved\r\n{place}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            server.own_accord.clear()
            await eventually(lambda: _about_the_task(server))
            assert (await ask(front, "GET /x", key)).status == status
        assert all(b"x-api-key: secret" in each for each in server.own_accord)
        assert elsewhere.connections == 0
