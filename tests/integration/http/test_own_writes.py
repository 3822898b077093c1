"""Whoever changes something reads it back changed, however many polls are shared meanwhile."""

import json

import pytest
from tests.contract.agent_client import agent_client
from tests.integration.http.rig import Front, sidecar
from tests.integration.http.test_bad_input import post
from tests.integration.http.wire import Answer

from subagent_sidecar.testing import FakeAgentServer

SLOW = {"coalesce": "60s"}


async def ask(front: Front, request: bytes) -> Answer:
    async with front.wire() as wire:
        return await wire.ask(request)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@pytest.mark.parametrize("method", [b"PATCH", b"PUT", b"DELETE", b"POST"])
async def test_anything_but_a_read_makes_the_next_read_ask_anew(method: bytes) -> None:
    async with FakeAgentServer() as server, sidecar(server.url, **SLOW) as front:
        made = json.loads((await ask(front, post(b"/threads", b"{}"))).body)
        path = f"/threads/{made['thread_id']}"
        for _ in range(2):
            await ask(front, get(path))
        change = post(path.encode() + b"/odd", b"{}").replace(b"POST", method, 1)
        await ask(front, change)
        await ask(front, get(path))
        assert (
            len([one for one in server.requests if (one.method, one.raw_path) == ("GET", path)])
            == 2
        )


async def test_a_run_seen_to_have_moved_makes_its_thread_be_asked_anew() -> None:
    """Whoever saw it: a client's poll, or the sidecar itself."""
    async with (
        FakeAgentServer() as server,
        sidecar(server.url, **SLOW) as front,
        agent_client(server.url) as direct,
    ):
        made = json.loads((await ask(front, post(b"/threads", b"{}"))).body)
        path = f"/threads/{made['thread_id']}"
        start = post(f"{path}/runs".encode(), b'{"assistant_id":"hang","input":{}}')
        run_id = json.loads((await ask(front, start)).body)["run_id"]
        await direct.run_when(made["thread_id"], run_id, "running")
        await ask(front, get(f"{path}/runs/{run_id}"))
        shared = await ask(front, get(path))
        assert json.loads(shared.body)["status"] == "busy"
        await direct.call("POST", f"{path}/runs/{run_id}/cancel?wait=1")
        listed = await ask(front, get(f"{path}/runs"))
        assert json.loads(listed.body)[0]["status"] == "interrupted"
        assert (await ask(front, get(path))).body == (await direct.call("GET", path)).body


@pytest.mark.parametrize(
    "query",
    [
        "limit=%C2%B2",
        "limit=" + "9" * 4_400,
        "since=0001-01-01T00:00:00%2B23:59",
        "cursor=" + "W1tb" * 1_500,
        "cursor=WyJcdWQ4MDAiLCAieCJd",
        "all=maybe",
        "odd=1",
    ],
)
async def test_an_admin_question_that_makes_no_sense_is_the_askers(query: str) -> None:
    async with FakeAgentServer() as server, sidecar(server.url) as front, front.admin() as wire:
        got = await wire.ask(get(f"/v1/tasks?{query}"))
        assert (got.status, json.loads(got.body)["code"]) == (400, "bad_query")
