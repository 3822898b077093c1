"""What the answers of v2 commands, A2A and MCP tell of the start they answer, and how a refusal
reads in each: a client of such a protocol understands nothing else.

| door | accepted | names the run | refused |
|---|---|---|---|
| command | `type` success | `result.run_id`; not for `input.respond` | `type` error |
| A2A | `result` | `id` of the task: `<context>:<run>`; not when a task goes on | `error` |
| MCP | `result`, when the run is over | never: it ran on a thread that is gone | `error` |
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from ..core.model import Intent
from ..core.wire import Act
from ..ports import ServerRun
from .door_bodies import Asked

_REFUSED = -32000
"""JSON-RPC: the first of the codes that servers may define (-32000 to -32099)."""

_META = "subagent-sidecar/refusal"

_PERHAPS = frozenset({-32603, -32006, "unknown_error"})
"""Errors that say nothing of whether a run was made before: an internal one, an answer of the
agent's that could not be passed on."""

_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_CALLERS_FAULT = re.compile("4[0-9][0-9]:")
"""How the message of an unknown error begins if it was an HTTP error before: made instead of a
run."""

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Taken:
    """The server runs this; `over` if the run has ended in the way its status says."""

    run: ServerRun
    over: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """The server started nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The answer does not tell."""

    reason: str


Outcome = Taken | Declined | Unclear


def outcome(act: Act, asked: Asked, intent: Intent, answer: bytes) -> Outcome:
    """What `answer`, a JSON message, says became of `intent`."""
    try:
        message = json.loads(answer)
    except (ValueError, RecursionError):
        return Unclear("the answer is no JSON")
    if not isinstance(message, dict):
        return Unclear("the answer names no run")
    return told(act, asked, intent, message)


def first_answer(stream: bytes) -> bytes | None:
    """The first message in an event stream that answers something, if it is there yet."""
    *events, _ = _EVENT_END.split(stream)
    for event in events:
        lines = (line for line in event.splitlines() if line.startswith(b"data:"))
        message = b"\n".join(line[len(b"data:") :].strip() for line in lines)
        if message and not _asks(message):
            return message
    return None


def _asks(message: bytes) -> bool:
    """Whether a message of the server's is a request or a notification."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "method" in found


def told(act: Act, asked: Asked, intent: Intent, message: Mapping[str, Any]) -> Outcome:
    """`outcome` of a message that was read before."""
    if (error := message.get("error")) is not None:
        code = error.get("code") if isinstance(error, dict) else error
        reason = f"the server answered with the error {str(code)[:80]}"
        perhaps = isinstance(code, int | str) and code in _PERHAPS
        if perhaps and not _CALLERS_FAULT.match(str(message.get("message"))):
            return Unclear(reason)
        return Declined(reason)
    result = message.get("result")
    if not isinstance(result, dict):
        return Unclear("the answer names no run")
    return _READERS[act](asked, intent, result)


def _command(asked: Asked, intent: Intent, result: Mapping[str, Any]) -> Outcome:
    run_id = result.get("run_id")
    if not _is_id(run_id) or asked.thread_id is None:
        return Unclear("the answer names no run")
    return Taken(ServerRun(run_id=run_id, thread_id=asked.thread_id, status="pending"))


def _a2a(asked: Asked, intent: Intent, result: Mapping[str, Any]) -> Outcome:
    """v1 method names are answered with the task as a member of the result."""
    task = result.get("task") if isinstance(result.get("task"), dict) else result
    assert isinstance(task, Mapping)
    task_id, context = task.get("id"), task.get("contextId")
    if asked.continues is not None or not isinstance(task_id, str) or not _is_id(context):
        return Unclear("the answer names no run")
    thread_id, _, run_id = task_id.partition(":")
    if thread_id != context or not _is_id(run_id):
        return Unclear("the answer names no run")
    return Taken(ServerRun(run_id=run_id, thread_id=thread_id, status="pending"))


def _mcp(asked: Asked, intent: Intent, result: Mapping[str, Any]) -> Outcome:
    """The start's own id stands for the run and for its thread."""
    own, failed = intent.intent_id, result.get("isError") is True
    status = "error" if failed else "success"
    return Taken(ServerRun(run_id=own, thread_id=own, status=status), over=True)


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


_READERS: Mapping[Act, Callable[[Asked, Intent, Mapping[str, Any]], Outcome]] = {
    Act.COMMAND: _command,
    Act.COMMAND_SOCKET: _command,
    Act.A2A: _a2a,
    Act.MCP: _mcp,
}


def refusal(act: Act, asked: Asked, problem: bytes) -> tuple[bytes, bytes]:
    """(content type, body) with which a door says `problem`, the JSON body of our own refusals.

    With status 200, as these servers answer whatever they decline: the clients of commands throw
    away the body of every other status.
    """
    told = json.loads(problem)
    message = json.dumps(_refused(act, asked, told)).encode()
    if asked.streams:
        return b"text/event-stream", b"event: message\r\ndata: %b\r\n\r\n" % message
    return b"application/json", message


def _refused(act: Act, asked: Asked, told: Mapping[str, Any]) -> Mapping[str, Any]:
    text = told["message"]
    match act:
        case Act.COMMAND | Act.COMMAND_SOCKET:
            return {**told, "type": "error", "id": asked.message_id}
        case Act.MCP:
            # An error of the tool, which the model is shown; one of the protocol it may not be.
            content = [{"type": "text", "text": text}]
            result = {"isError": True, "content": content, "_meta": {_META: told}}
            return {"jsonrpc": "2.0", "id": asked.message_id, "result": result}
        case _:
            error = {"code": _REFUSED, "message": text, "data": told}
            return {"jsonrpc": "2.0", "id": asked.message_id, "error": error}
