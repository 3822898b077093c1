"""What the messages of commands, A2A and MCP want started, and that none of them is unclear
without being taken for a start."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.unit.proxy.json_bytes import DEPTHS, HOSTILE, encoded, nested, objects

from subagent_sidecar.core.wire import Act, Form, Meaning
from subagent_sidecar.proxy.bodies import RunBody
from subagent_sidecar.proxy.door_bodies import Asked, asked

COMMAND = Meaning(Act.COMMAND, "t")
SOCKET = Meaning(Act.COMMAND_SOCKET, "t")
A2A = Meaning(Act.A2A, form=Form.WAIT, assistant_id="a")
MCP = Meaning(Act.MCP, form=Form.WAIT)
DOORS = [COMMAND, SOCKET, A2A, MCP]

RUN_START = {
    "id": 1,
    "method": "run.start",
    "params": {
        "assistant_id": "researcher",
        "input": {"messages": [{"role": "user", "content": "topic A"}]},
        "config": {"configurable": {"deepagents_parent": {"thread_id": "sup"}}},
        "metadata": {"subagent_name": "coder"},
        "multitaskStrategy": "interrupt",
    },
}
RESPOND = {"id": 2, "method": "input.respond", "params": {"interrupt_id": "i", "response": "EU"}}
TEXT = {"role": "user", "parts": [{"kind": "text", "text": "topic B"}], "messageId": "m"}
SEND = {"jsonrpc": "2.0", "id": "q", "method": "message/send", "params": {"message": TEXT}}
CALL = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "tools/call",
    "params": {"name": "researcher", "arguments": {"messages": "topic C"}},
}


def said_in(meaning: Meaning, message: object) -> RunBody:
    """But for the fingerprint, which is test_instruction's matter."""
    found = asked(meaning, json.dumps(message).encode())
    assert found is not None
    return replace(found.said, fingerprint=None)


def start(meaning: Meaning, message: object) -> Asked:
    found = asked(meaning, json.dumps(message).encode())
    assert found is not None
    return found


def test_a_command_says_what_a_run_create_says() -> None:
    assert said_in(COMMAND, RUN_START) == RunBody(
        assistant_id="researcher",
        agent_name="coder",
        session_id="sup",
        strategy="interrupt",
        purpose="topic A",
    )


def test_an_answer_to_an_interrupt_starts_a_run_of_whatever_the_thread_was_doing() -> None:
    assert start(SOCKET, RESPOND) == Asked(said=RunBody(), message_id=2, thread_id="t")


def test_an_agent_is_told_by_the_path_and_its_instruction_by_the_parts() -> None:
    assert said_in(A2A, SEND) == RunBody(assistant_id="a", purpose="topic B")


def test_a_tool_is_the_agent_and_its_messages_are_the_instruction() -> None:
    expected = RunBody(assistant_id="researcher", purpose="topic C")
    assert said_in(MCP, CALL) == expected
    listed: dict[str, Any] = {"messages": [{"role": "user", "content": "topic C"}]}
    params = {"name": "researcher", "arguments": listed}
    assert said_in(MCP, {**CALL, "params": params}) == expected


def test_a_tool_that_looks_like_an_assistants_id_is_called_what_it_is_called() -> None:
    name = "A4F50DF0-146C-55A5-B4F0-264C9E73BB20"
    called = {**CALL, "params": {"name": name, "arguments": {}}}
    assert said_in(MCP, called).assistant_id == name


def test_equal_instructions_are_equal_by_whatever_door() -> None:
    words = "topic A"
    by_tool = {**CALL, "params": {"name": "r", "arguments": {"messages": words}}}
    message = {**TEXT, "parts": [{"kind": "text", "text": words}]}
    by_agent = {**SEND, "params": {"message": message}}
    prints = {
        start(COMMAND, RUN_START).said.fingerprint,
        start(MCP, by_tool).said.fingerprint,
        start(A2A, by_agent).said.fingerprint,
    }
    assert len(prints) == 1
    assert None not in prints


CONTEXTS: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({}, None, None),
    ({"contextId": "c"}, "c", None),
    ({"taskId": "c:r"}, "c", "c:r"),
    ({"contextId": "c", "taskId": "c:r"}, "c", "c:r"),
    ({"contextId": "c", "taskId": "r"}, "c", "r"),
    ({"taskId": "r"}, None, "r"),
    ({"contextId": 1, "taskId": ["c:r"]}, None, None),
]


@pytest.mark.parametrize(("named", "thread_id", "continues"), CONTEXTS)
def test_a_context_is_a_thread(
    named: dict[str, Any], thread_id: str | None, continues: str | None
) -> None:
    found = start(A2A, {**SEND, "params": {"message": {**TEXT, **named}}})
    assert (found.thread_id, found.continues) == (thread_id, continues)


METHODS = [
    (COMMAND, "run.start", True, False),
    (COMMAND, "input.respond", True, False),
    (COMMAND, "subscription.subscribe", False, False),
    (COMMAND, "agent.getTree", False, False),
    (COMMAND, "message/send", False, False),
    (SOCKET, "run.start", True, False),
    (SOCKET, "subscription.unsubscribe", False, False),
    (A2A, "message/send", True, False),
    (A2A, "SendMessage", True, False),
    (A2A, "message/stream", True, True),
    (A2A, "SendStreamingMessage", True, True),
    (A2A, "tasks/get", False, False),
    (A2A, "tasks/cancel", False, False),
    (A2A, "CancelTask", False, False),
    (MCP, "tools/call", True, False),
    (MCP, "tools/list", False, False),
    (MCP, "initialize", False, False),
    (MCP, "notifications/initialized", False, False),
]


@pytest.mark.parametrize(("meaning", "method", "starts", "streams"), METHODS)
def test_the_methods_that_start_something(
    meaning: Meaning, method: str, starts: bool, streams: bool
) -> None:
    found = asked(meaning, json.dumps({"id": 1, "method": method, "params": {}}).encode())
    assert (found is not None, found is not None and found.streams) == (starts, streams)


SPELLINGS = [
    b'{"id":1,"m\\u0065thod":"run.start"}',
    b'{"id":1,"method":"run.st\\u0061rt"}',
    b'{"method":"agent.getTree","id":1,"method":"run.start"}',  # the last one counts
    b'  \n{"method":"run.start"}\n ',
    b'\xef\xbb\xbf{"method":"run.start"}',
    '{"method":"run.start"}'.encode("utf-16"),
    b'{"method":"run.start","params":{"a":NaN}}',
    b'{"method":"run.start","params":[1]}',
    b'{"method":"run.start","params":{"a":"\\ud800"}}',
    b'{"method":"run.start","params":{"a":%b}}' % (b"9" * 4_000),
    b'[{"method":"agent.getTree"},{"method":"run.start"}]',
    b'{"id":{},"method":"run.start"}',
]


@pytest.mark.parametrize("body", SPELLINGS)
def test_a_start_is_seen_through_its_spelling(body: bytes) -> None:
    found = asked(COMMAND, body)
    assert found is not None
    assert found.readable


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b"{}", b'"run.start"', b'{"method":["run.start"]}']
)
@pytest.mark.parametrize("meaning", DOORS, ids=lambda meaning: meaning.act)
def test_a_message_that_is_understood_and_asks_for_nothing_starts_nothing(
    meaning: Meaning, body: bytes
) -> None:
    assert asked(meaning, body) is None


UNCLEAR = [None, b"", b"{", b"\xff", b'{"method":"agent.getTree"', nested(100_000)]


@pytest.mark.parametrize("body", UNCLEAR, ids=lambda body: repr(body)[:12])
@pytest.mark.parametrize("meaning", DOORS, ids=lambda meaning: meaning.act)
def test_what_cannot_be_read_is_taken_for_a_start_of_whatever_the_path_names(
    meaning: Meaning, body: bytes | None
) -> None:
    expected = RunBody(assistant_id=meaning.assistant_id)
    assert asked(meaning, body) == Asked(said=expected, thread_id=meaning.thread_id, readable=False)


MEMBERS = objects("id", "method", "params", "message", "parts", "name", "arguments", "messages")


@given(encoded(MEMBERS))
def test_no_message_hurts(body: bytes) -> None:  # failures.md 26
    for meaning in DOORS:
        asked(meaning, body)


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body)[:12])
@pytest.mark.parametrize("meaning", DOORS, ids=lambda meaning: meaning.act)
def test_no_member_of_a_start_hurts(meaning: Meaning, body: bytes) -> None:
    for method in ("run.start", "message/send", "tools/call"):
        asked(meaning, b'{"method":"%b","params":%b}' % (method.encode(), body))


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_depth_hides_a_start(depth: int) -> None:
    body = b'{"method":"tools/call","params":{"arguments":{"messages":%b}}}' % nested(depth)
    assert asked(MCP, body) is not None
