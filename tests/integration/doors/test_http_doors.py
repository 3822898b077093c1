"""Starts by v2 commands, A2A and MCP: on record before they are sent, and refused in the words of
their protocol."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.doors.rig import WAITED, Record, Rig, rig
from tests.integration.doors.server import CODER_ID, door_server
from tests.integration.http.rig import sidecar
from tests.support.waiting import eventually, eventually_got

WRITER_ID = "00000000-0000-4000-8000-000000000001"
COMMANDS = "/threads/t/commands"
TOLD = "Not started: no task of agent"


def run_start(agent: str = "writer") -> dict[str, Any]:
    messages = [{"role": "user", "content": "topic A"}]
    params = {"assistant_id": agent, "input": {"messages": messages}}
    return {"id": 1, "method": "run.start", "params": params}


def message(method: str = "message/send", **named: str) -> dict[str, Any]:
    sent = {"role": "user", "parts": [{"kind": "text", "text": "topic B"}], "messageId": "m"}
    return {"jsonrpc": "2.0", "id": "q", "method": method, "params": {"message": {**sent, **named}}}


def tool_call(tool: str = "writer") -> dict[str, Any]:
    params = {"name": tool, "arguments": {"messages": "topic C"}}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def is_known(run_id: str) -> Callable[[Record], bool]:
    return lambda task: task["run_id"] == run_id


async def test_a_command_is_a_task_with_the_run_its_answer_names(doors: Rig) -> None:
    answer = await doors.post(COMMANDS, run_start())
    assert answer.json == {"type": "success", "id": 1, "result": {"run_id": "run-1"}}
    task = await doors.task(is_known("run-1"))
    assert (task["task_id"], task["agent_name"], task["purpose"]) == ("t", "writer", "topic A")


async def test_a_command_is_marked_like_every_start(doors: Rig) -> None:
    await doors.post(COMMANDS, run_start(), **{"x-subagent-session": "s"})
    sent = doors.server.started[0]
    marks = sent.message["params"]["metadata"]
    assert marks == {
        "sidecar_session_id": "s",
        "sidecar_depth": "0",
        "sidecar_task_id": "t",
        "sidecar_traceparent": marks["sidecar_traceparent"],
    }
    task = await doors.task(is_known("run-1"))
    assert marks["sidecar_traceparent"] == f"00-{task['trace_id']}-{task['span_id']}-01"
    assert sent.request_id is not None


async def test_an_answer_to_an_interrupt_is_found_by_its_request_id(doors: Rig) -> None:
    await doors.post(COMMANDS, run_start())
    respond = {"id": 2, "method": "input.respond", "params": {"interrupt_id": "i"}}
    answer = await doors.post(COMMANDS, respond, **{"x-request-id": "mine"})
    assert answer.json["result"] == {}
    task = await doors.task(is_known("run-2"))
    assert (task["task_id"], task["superseded_run_ids"]) == ("t", ["run-1"])


async def test_a_message_to_an_agent_is_a_task_of_its_context(doors: Rig) -> None:
    answer = await doors.post(f"/a2a/{WRITER_ID}", message())
    assert answer.json["result"]["id"] == "made-thread:run-1"
    task = await doors.task(is_known("run-1"))
    assert (task["task_id"], task["purpose"]) == ("made-thread", "topic B")


async def test_a_message_within_a_context_is_an_update(doors: Rig) -> None:
    await doors.post(f"/a2a/{WRITER_ID}", message(contextId="c"))
    await doors.task(is_known("run-1"))
    await doors.post(f"/a2a/{WRITER_ID}", message(contextId="c", taskId="c:run-1"))
    task = await doors.task(is_known("run-2"))
    assert (task["task_id"], task["superseded_run_ids"]) == ("c", ["run-1"])


async def test_a_streamed_message_is_a_task_from_its_first_event_on(doors: Rig) -> None:
    answer = await doors.post(f"/a2a/{WRITER_ID}", message("message/stream"))
    assert answer.body.count(b"event: message") == 2
    assert (await doors.task(is_known("run-1")))["task_id"] == "made-thread"


async def test_an_agents_run_is_found_before_its_answer(doors: Rig) -> None:
    doors.server.gate.clear()
    asking = asyncio.ensure_future(doors.post(f"/a2a/{WRITER_ID}", message(contextId="c")))
    task = await doors.task(is_known("run-1"))
    assert (task["task_id"], asking.done()) == ("c", False)
    doors.server.gate.set()
    assert (await asking).status == 200


async def test_a_tool_call_is_a_task_that_is_over_when_it_is_answered(doors: Rig) -> None:
    answer = await doors.post("/mcp", tool_call())
    assert answer.json["result"]["content"][0]["text"] == "done"
    task = await doors.task()
    assert (task["agent_name"], task["status"], task["purpose"]) == ("writer", "success", "topic C")
    assert task["run_id"] == task["task_id"]  # the server names neither


async def test_a_tool_that_failed_is_a_task_that_failed(doors: Rig) -> None:
    doors.server.answers["tools/call"] = {"result": {"isError": True, "content": []}}
    await doors.post("/mcp", tool_call())
    assert (await doors.task())["status"] == "error"


DECLINED = [
    (COMMANDS, run_start(), {"type": "error", "error": "invalid_argument", "message": "no"}),
    (f"/a2a/{WRITER_ID}", message(), {"error": {"code": -32602, "message": "no"}}),
    ("/mcp", tool_call(), {"error": {"code": -32602, "message": "Unknown tool"}}),
]


@pytest.mark.parametrize(("path", "body", "answer"), DECLINED, ids=["command", "a2a", "mcp"])
async def test_what_the_server_declines_leaves_nothing(
    path: str, body: dict[str, Any], answer: dict[str, Any], doors: Rig
) -> None:
    doors.server.answers[body["method"]] = answer
    assert "error" in (await doors.post(path, body)).json
    assert not await doors.tasks()


STARTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (COMMANDS, run_start("coder"), {"type": "error", "id": 1, "error": "denied"}),
    (COMMANDS, run_start(CODER_ID), {"type": "error", "id": 1, "error": "denied"}),
    (f"/a2a/{CODER_ID}", message(), {"jsonrpc": "2.0", "id": "q"}),
    (f"/a2a/{CODER_ID}/", message("SendMessage"), {"jsonrpc": "2.0", "id": "q"}),
    ("/mcp", tool_call("coder"), {"jsonrpc": "2.0", "id": 7}),
]


@pytest.mark.parametrize(("path", "body", "part"), STARTS)
async def test_a_refusal_speaks_the_protocol_and_nothing_is_sent(
    path: str, body: dict[str, Any], part: dict[str, Any], doors: Rig
) -> None:
    answer = await doors.post(path, body, **{"x-request-id": "mine"})
    assert (answer.status, answer.refused) == (200, True)
    assert answer.headers["x-request-id"] == "mine"
    told = answer.json
    assert {key: told[key] for key in part} == part
    assert TOLD in answer.body.decode()
    assert not doors.server.received
    assert not await doors.tasks()


async def test_a_refused_stream_is_one_event(doors: Rig) -> None:
    answer = await doors.post(f"/a2a/{CODER_ID}", message("message/stream"))
    assert (answer.status, answer.refused) == (200, True)
    assert answer.headers["content-type"] == "text/event-stream"
    data = answer.body.decode().partition("data: ")[2].strip()
    assert json.loads(data)["error"]["data"]["rule"] == "no-coder"
    assert not doors.server.received


async def test_the_graph_behind_an_id_is_asked_for_once(doors: Rig) -> None:
    for _ in range(3):
        await doors.post(f"/a2a/{CODER_ID}", message())
    assert doors.server.asked == [CODER_ID]


async def test_a_tool_goes_by_its_graph_whatever_it_is_called(doors: Rig) -> None:
    doors.server.tools = {"writer": "writer", "Nice  tool!": "coder"}
    assert (await doors.post("/mcp", tool_call("Nice_tool"))).refused
    assert not (await doors.post("/mcp", tool_call())).refused
    assert not doors.server.started[1:]


BESIDE = [
    (COMMANDS, {"id": 3, "method": "subscription.subscribe", "params": {}}),
    (f"/a2a/{CODER_ID}", {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": "x"}}),
    ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
]


@pytest.mark.parametrize(("path", "body"), BESIDE, ids=["command", "a2a", "mcp"])
async def test_what_starts_nothing_passes_as_it_is(
    path: str, body: dict[str, Any], doors: Rig
) -> None:
    answer = await doors.post(path, body)
    assert (answer.status, answer.refused) == (200, False)
    assert doors.server.received == [json.dumps(body).encode()]
    assert not await doors.tasks()


async def test_a_message_goes_where_its_context_lives() -> None:
    async with (
        door_server() as near,
        door_server() as far,
        sidecar(f"near={near.url}", f"far={far.url}", policy="none") as front,
        aiohttp.ClientSession() as session,
    ):
        doors = Rig(far, front, session)
        await doors.post(f"/to/far/a2a/{WRITER_ID}", message(contextId="c"))
        await doors.task(is_known("run-1"))
        await doors.post(f"/a2a/{WRITER_ID}", message(contextId="c"))
        assert (len(near.started), len(far.started)) == (0, 2)
        assert (await doors.post(f"/a2a/{WRITER_ID}", message(contextId="other"))).status == 421


async def test_a_message_too_large_to_be_read_is_a_start_of_what_the_path_names(
    tmp_path: Path,
) -> None:
    long = message()
    long["params"]["message"]["parts"][0]["text"] = "x" * 5_000
    async with rig(tmp_path, inspect_limit="1KiB") as doors:
        assert (await doors.post(f"/a2a/{CODER_ID}", long)).refused
        assert not doors.server.received
        sent = await doors.post(f"/a2a/{WRITER_ID}", long)
        assert sent.json["result"]["id"] == "made-thread:run-1"
        assert (await doors.task(is_known("run-1")))["assistant_id"] == WRITER_ID


async def test_a_message_that_cannot_be_read_is_sent_as_it_is(doors: Rig) -> None:
    answer = await doors.post("/mcp", b'{"method": "tools/call"')
    assert answer.status == 200
    assert doors.server.received == [b'{"method": "tools/call"']


async def test_a_start_whose_answer_breaks_off_is_found(doors: Rig) -> None:
    doors.server.drops = True
    assert (await doors.post(COMMANDS, run_start())).status == 502
    doors.server.drops = False
    assert (await doors.task(is_known("run-1")))["agent_name"] == "writer"


async def test_a_client_that_leaves_takes_no_start_with_it(doors: Rig) -> None:
    doors.server.gate.clear()
    impatient = aiohttp.ClientTimeout(total=0.2)
    with pytest.raises(TimeoutError):
        async with doors.session.post(
            doors.url + "/mcp", json=tool_call(), timeout=impatient
        ) as answer:
            await answer.read()
    await eventually(lambda: doors.server.started, within=WAITED)
    doors.server.gate.set()
    task = await doors.task(lambda task: task["status"] == "success")
    assert task["agent_name"] == "writer"


async def test_a_server_in_trouble_leaves_a_doubt(doors: Rig) -> None:
    doors.server.status = 503
    assert (await doors.post(COMMANDS, run_start())).status == 503
    found = await eventually_got(doors.tasks, lambda tasks: bool(tasks), within=WAITED)
    assert found[0]["task_id"] == "t"
