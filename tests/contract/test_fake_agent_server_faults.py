"""The fake server is broken exactly as ordered, and keeps honest books meanwhile."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.contract.agent_client import AgentClient, agent_client, random_id, run_of
from tests.support.waiting import eventually

from subagent_sidecar.testing import FakeAgentServer, FaultKind, hang, read_ledger, succeed

RUNS = "/threads/*/runs"
SOON = 0.2
LATER = 1.5
"""Longer than a machine stands still while a test looks at what comes before."""


@pytest.fixture
async def server() -> AsyncIterator[FakeAgentServer]:
    graphs = {"researcher": succeed(), "slow": succeed(0.3), "hang": hang()}
    async with FakeAgentServer(graphs) as fake:
        yield fake


@pytest.fixture
async def client(server: FakeAgentServer) -> AsyncIterator[AgentClient]:
    async with agent_client(server.url) as plain:
        yield plain


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [
        (FaultKind.RESET, 0),
        (FaultKind.GARBAGE, 0),
        (FaultKind.RESET_AFTER, 1),
        (FaultKind.TRUNCATE, 1),
    ],
)
async def test_a_broken_answer_leaves_the_runs_the_table_says(
    server: FakeAgentServer, client: AgentClient, kind: FaultKind, accepted: int
) -> None:
    thread_id = await client.new_thread()
    server.faults.add(kind, RUNS, method="POST", body=b"\x16\x03\x01 not HTTP", keep=10)

    with pytest.raises(aiohttp.ClientError):
        await client.call("POST", f"/threads/{thread_id}/runs", run_of("researcher"))
    assert len(server.ledger) == accepted
    assert len((await client.call("GET", f"/threads/{thread_id}/runs")).json) == accepted


@pytest.mark.parametrize(("kind", "accepted"), [(FaultKind.HANG, 0), (FaultKind.HANG_AFTER, 1)])
async def test_a_hanging_server_leaves_the_runs_the_table_says(
    server: FakeAgentServer, client: AgentClient, kind: FaultKind, accepted: int
) -> None:
    thread_id = await client.new_thread()
    server.faults.add(kind, RUNS, method="POST")

    async with asyncio.TaskGroup() as group:
        call = client.call("POST", f"/threads/{thread_id}/runs", run_of("researcher"))
        asking = group.create_task(call)
        await eventually(lambda: server.received("POST", "/runs"))
        await eventually(lambda: len(server.ledger) == accepted)
        answered, _ = await asyncio.wait([asking], timeout=SOON)
        assert not answered
        asking.cancel()
    assert len(server.ledger) == accepted


async def test_a_truncated_answer_stops_at_the_byte(
    server: FakeAgentServer, client: AgentClient
) -> None:
    server.faults.add(FaultKind.TRUNCATE, "/ok", keep=5)

    async with client.session.get(f"{server.url}/ok") as response:
        assert await response.content.readexactly(5) == b'{"ok"'
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_delayed_head_comes_after_the_run_was_accepted(
    server: FakeAgentServer, client: AgentClient
) -> None:
    thread_id = await client.new_thread()
    server.faults.add(FaultKind.DELAY_HEAD, RUNS, seconds=LATER)

    async with asyncio.TaskGroup() as group:
        call = client.call("POST", f"/threads/{thread_id}/runs", run_of("researcher"))
        answer = group.create_task(call)
        await eventually(lambda: len(server.ledger) == 1)
        assert not answer.done()
    assert answer.result().status == 200


async def test_a_delayed_body_follows_a_prompt_head(
    server: FakeAgentServer, client: AgentClient
) -> None:
    server.faults.add(FaultKind.DELAY_BODY, "/ok", seconds=LATER)
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with client.session.get(f"{server.url}/ok") as response:
        assert loop.time() - started < LATER
        assert (await response.json())["ok"] is True
    assert loop.time() - started >= LATER


async def test_a_status_is_given_with_its_headers_and_body(
    server: FakeAgentServer, client: AgentClient
) -> None:
    server.faults.add(
        FaultKind.STATUS, "/ok", status=429, headers={"Retry-After": "7"}, body=b"slow down"
    )
    answer = await client.call("GET", "/ok")

    assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "7", b"slow down")


async def test_faults_are_counted_off_and_can_be_for_ever(
    server: FakeAgentServer, client: AgentClient
) -> None:
    server.faults.add(FaultKind.STATUS, "/ok", times=2, status=500)
    server.faults.add(FaultKind.STATUS, "/info", times=None, status=502)

    ok = [(await client.call("GET", "/ok")).status for _ in range(3)]
    info = [(await client.call("GET", "/info")).status for _ in range(3)]
    assert (ok, info) == ([500, 500, 200], [502, 502, 502])
    server.faults.clear()
    assert (await client.call("GET", "/info")).status == 200


async def test_a_fault_meets_its_method_and_path_only(
    server: FakeAgentServer, client: AgentClient
) -> None:
    server.faults.add(FaultKind.STATUS, RUNS, method="POST", times=None)
    thread_id = await client.new_thread()

    assert (await client.call("GET", f"/threads/{thread_id}/runs")).status == 200
    assert (await client.call("POST", f"/threads/{thread_id}/runs", {})).status == 503


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(FaultKind.CANCEL_IGNORED, "running"), (FaultKind.CANCEL_LIES, "interrupted")],
)
async def test_a_cancel_that_is_not_done_answers_202_and_the_graph_runs_on(
    server: FakeAgentServer, client: AgentClient, kind: FaultKind, shown: str
) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "slow")
    await client.run_when(thread_id, run_id, "running")
    path = f"/threads/{thread_id}/runs/{run_id}"
    server.faults.add(kind, "*/cancel")

    assert (await client.call("POST", f"{path}/cancel")).status == 202
    assert (await client.call("GET", path)).json["status"] == shown
    assert run_id in server.executing
    thread = await client.thread_when(thread_id, "idle")
    assert thread["values"]["messages"][-1]["content"] == "done"


async def test_a_multitask_strategy_that_is_ignored_lets_both_run(
    server: FakeAgentServer, client: AgentClient
) -> None:
    thread_id = await client.new_thread()
    first = await client.start(thread_id, "hang")
    await client.run_when(thread_id, first, "running")
    server.faults.add(FaultKind.MULTITASK_IGNORED, RUNS)
    second = await client.start(thread_id, "hang", multitask_strategy="interrupt")

    await eventually(lambda: server.executing == {first, second})


async def test_a_run_whose_request_id_was_lost_does_not_tell_it(
    server: FakeAgentServer, client: AgentClient
) -> None:
    thread_id = await client.new_thread()
    server.faults.add(FaultKind.REQUEST_ID_LOST, RUNS)
    run_id = await client.start(thread_id, "researcher")

    run = await client.run_when(thread_id, run_id, "success")
    assert "langgraph_request_id" not in run["kwargs"]["config"]["configurable"]


async def test_bulk_cancel_and_delete_leave_the_graph_at_work(
    server: FakeAgentServer, client: AgentClient
) -> None:
    runs = []
    for _ in range(2):
        thread_id = await client.new_thread()
        runs.append((thread_id, await client.start(thread_id, "hang")))
    await eventually(lambda: len(server.executing) == 2)

    (cancelled_on, cancelled), (deleted_on, deleted) = runs
    assert (await client.call("DELETE", f"/threads/{deleted_on}/runs/{deleted}")).status == 204
    assert (await client.call("POST", "/runs/cancel", {"status": "all"})).status == 204
    await client.run_when(cancelled_on, cancelled, "interrupted")
    assert server.executing == {cancelled, deleted}


async def test_the_journal_keeps_requests_as_they_came(
    server: FakeAgentServer, client: AgentClient
) -> None:
    raw = b"GET //a%2Fb/..?x=%20&x=2 HTTP/1.1\r\nHost: h\r\nX-Odd: a\r\nx-odd: b\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(raw)
    assert b" 404 " in await reader.readline()
    writer.close()

    (request,) = server.received("GET")
    assert (request.raw_path, request.raw_query) == ("//a%2Fb/..", "x=%20&x=2")
    assert request.raw_headers == ((b"Host", b"h"), (b"X-Odd", b"a"), (b"x-odd", b"b"))
    assert request.header("HOST") == "h"


async def test_the_ledger_is_on_disk_before_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    async with FakeAgentServer(ledger_path=path) as server, agent_client(server.url) as client:
        thread_id = await client.new_thread()
        body = b'{"assistant_id": "researcher"}'
        answer = await client.call(
            "POST", f"/threads/{thread_id}/runs", raw=body, headers={"x-request-id": "r-1"}
        )
        (entry,) = read_ledger(path)

    assert (entry.run_id, entry.thread_id) == (answer.json["run_id"], thread_id)
    assert entry.request_id == "r-1"
    assert entry.body_sha256 == hashlib.sha256(body).hexdigest()


async def test_a_cron_that_fires_starts_a_run_nobody_asked_for(
    server: FakeAgentServer, client: AgentClient
) -> None:
    thread_id = await client.new_thread()
    body = {"schedule": "* * * * *", **run_of("researcher")}
    cron = (await client.call("POST", f"/threads/{thread_id}/runs/crons", body)).json
    run_id = server.fire_cron(cron["cron_id"])

    assert (await client.run_when(thread_id, run_id, "success"))["thread_id"] == thread_id
    assert [entry.request_id for entry in server.ledger] == [None]


async def test_a_quiet_stream_shows_signs_of_life() -> None:
    async with (
        FakeAgentServer(heartbeat_seconds=0.02) as server,
        agent_client(server.url) as client,
    ):
        url = f"{server.url}/threads/{await client.new_thread()}/runs"
        async with client.session.post(f"{url}/stream", json=run_of("hang")) as stream:
            await stream.content.readuntil(b": heartbeat\r\n\r\n")
            stream.close()
        async with client.session.post(f"{url}/wait", json=run_of("hang")) as wait:
            assert await wait.content.readexactly(3) == b"\n\n\n"
            wait.close()


async def test_a_server_can_come_back_on_its_port() -> None:
    async with FakeAgentServer() as first:
        port = first.port
    async with FakeAgentServer(port=port) as again, agent_client(again.url) as client:
        assert again.port == port
        ghost = await client.call("GET", f"/threads/{random_id()}")
        assert ghost.status == 404
