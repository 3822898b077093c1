"""What the answers of commands, A2A and MCP tell of a start (as langgraph-api 0.16.7 writes them),
and how each is told of a refusal."""

import json
from typing import Any

import pytest
from hypothesis import given
from tests.unit.proxy.json_bytes import HOSTILE, encoded, objects

from subagent_sidecar.core.model import Intent, IntentKind
from subagent_sidecar.core.wire import Act
from subagent_sidecar.ports import ServerRun
from subagent_sidecar.proxy.bodies import RunBody
from subagent_sidecar.proxy.door_answers import (
    Declined,
    Outcome,
    Taken,
    Unclear,
    first_answer,
    outcome,
    refusal,
)
from subagent_sidecar.proxy.door_bodies import Asked

INTENT = Intent(
    intent_id="own",
    request_id="own",
    kind=IntentKind.START,
    upstream="up",
    created_at="2026-01-01T00:00:00.000000Z",
    session_id="s",
    supervisor="ann",
    agent_name="researcher",
    depth=0,
)
COMMAND = Asked(said=RunBody(), message_id=1, thread_id="t")
MESSAGE = Asked(said=RunBody(), message_id="q")
GOES_ON = Asked(said=RunBody(), message_id="q", thread_id="c", continues="c:first")
CALL = Asked(said=RunBody(), message_id=7)
NO_RUN = Unclear("the answer names no run")


def result(value: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": value}


def error(code: object, message: str = "no") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}


def failed(code: str, message: str = "no") -> dict[str, Any]:
    return {"type": "error", "id": 1, "error": code, "message": message}


def taken(run_id: str, thread_id: str) -> Taken:
    return Taken(ServerRun(run_id=run_id, thread_id=thread_id, status="pending"))


def over(status: str) -> Taken:
    return Taken(ServerRun(run_id="own", thread_id="own", status=status), over=True)


TASK = {"kind": "task", "id": "c:r", "contextId": "c", "status": {"state": "completed"}}
NO_ASSISTANT = "422: Invalid assistant: 'nobody'. Must be either: ..."

ANSWERS: list[tuple[Act, Asked, object, Outcome]] = [
    (Act.COMMAND, COMMAND, {"type": "success", **result({"run_id": "r"})}, taken("r", "t")),
    (Act.COMMAND, COMMAND, {"type": "success", **result({})}, NO_RUN),  # input.respond
    (Act.COMMAND, COMMAND, {"type": "success", **result({"run_id": ""})}, NO_RUN),
    (Act.COMMAND, COMMAND, {"type": "success", **result({"run_id": 7})}, NO_RUN),
    (Act.COMMAND, COMMAND, failed("invalid_argument"),
     Declined("the server answered with the error invalid_argument")),
    (Act.COMMAND, COMMAND, failed("unknown_error"),
     Unclear("the server answered with the error unknown_error")),
    (Act.COMMAND, COMMAND, failed("unknown_error", NO_ASSISTANT),
     Declined("the server answered with the error unknown_error")),
    (Act.A2A, MESSAGE, result(TASK), taken("r", "c")),
    (Act.A2A, MESSAGE, result({"task": TASK}), taken("r", "c")),  # version 1
    (Act.A2A, GOES_ON, result(TASK), NO_RUN),  # a task keeps the id of its first run
    (Act.A2A, MESSAGE, result({"kind": "message", "parts": []}), NO_RUN),
    (Act.A2A, MESSAGE, result({**TASK, "id": "another server's"}), NO_RUN),
    (Act.A2A, MESSAGE, result({**TASK, "contextId": "other"}), NO_RUN),
    (Act.A2A, MESSAGE, error(-32602), Declined("the server answered with the error -32602")),
    (Act.A2A, MESSAGE, error(-32603), Unclear("the server answered with the error -32603")),
    (Act.MCP, CALL, result({"content": []}), over("success")),
    (Act.MCP, CALL, result({"content": [], "isError": False}), over("success")),
    (Act.MCP, CALL, result({"content": [], "isError": True}), over("error")),
    (Act.MCP, CALL, error(-32602), Declined("the server answered with the error -32602")),
    (Act.MCP, CALL, [result({"content": []})], NO_RUN),
    (Act.MCP, CALL, result(None), NO_RUN),
]  # fmt: skip


@pytest.mark.parametrize(("act", "asked", "answer", "expected"), ANSWERS)
def test_an_answer_tells(act: Act, asked: Asked, answer: object, expected: Outcome) -> None:
    assert outcome(act, asked, INTENT, json.dumps(answer).encode()) == expected


@given(encoded(objects("type", "id", "result", "error", "run_id", "task", "contextId")))
def test_no_answer_hurts(body: bytes) -> None:  # failures.md 26
    for act in (Act.COMMAND, Act.A2A, Act.MCP):
        outcome(act, MESSAGE, INTENT, body)


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body)[:12])
def test_what_is_no_answer_tells_nothing(body: bytes) -> None:
    assert isinstance(outcome(Act.MCP, CALL, INTENT, body), Unclear)


STREAMS = [
    (b"", None),
    (b": heartbeat\r\n\r\n", None),
    (b'event: message\r\ndata: {"result":1}', None),
    (b'event: message\r\ndata: {"result":1}\r\n\r\n', b'{"result":1}'),
    (b': heartbeat\n\ndata: {"result":1}\n\ndata: {"result":2}\n\n', b'{"result":1}'),
    (b'data: {"method":"progress"}\n\ndata: {"result":2}\n\n', b'{"result":2}'),
    (b'data: {"method":"progress"}\n\ndata: {"result":2}', None),
    (b'data: {"a":\ndata: 1}\n\n', b'{"a":\n1}'),
]


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_the_first_answer_in_a_stream(stream: bytes, expected: bytes | None) -> None:
    assert first_answer(stream) == expected


PROBLEM = {"error": "denied", "message": "Not started: no.", "code": "denied", "rule": "r"}
WRITTEN = json.dumps(PROBLEM).encode()


def test_a_command_is_refused_as_the_server_refuses_commands() -> None:
    kind, body = refusal(Act.COMMAND, COMMAND, WRITTEN)
    assert kind == b"application/json"
    assert json.loads(body) == {**PROBLEM, "type": "error", "id": 1}


def test_an_agent_is_refused_with_an_error_that_has_all_of_it() -> None:
    _, body = refusal(Act.A2A, MESSAGE, WRITTEN)
    told = {"code": -32000, "message": "Not started: no.", "data": PROBLEM}
    assert json.loads(body) == {"jsonrpc": "2.0", "id": "q", "error": told}


def test_a_stream_is_refused_with_an_event() -> None:
    asked = Asked(said=RunBody(), message_id="q", streams=True)
    kind, body = refusal(Act.A2A, asked, WRITTEN)
    assert kind == b"text/event-stream"
    answer = first_answer(body)
    assert answer is not None
    assert json.loads(answer) == json.loads(refusal(Act.A2A, MESSAGE, WRITTEN)[1])


def test_a_tool_is_refused_with_a_result_that_the_model_is_shown() -> None:
    _, body = refusal(Act.MCP, CALL, WRITTEN)
    told = json.loads(body)
    assert (told["jsonrpc"], told["id"], told["result"]["isError"]) == ("2.0", 7, True)
    assert told["result"]["content"] == [{"type": "text", "text": "Not started: no."}]
    assert told["result"]["_meta"] == {"subagent-sidecar/refusal": PROBLEM}
