"""What a request says that starts something only if its body says so.

Three protocols come in this way: the v2 commands of a thread, agent to agent (A2A), and MCP, whose
tools are the server's graphs. Their messages are read as servers read them (the last of two equal
members counts, escapes in names are resolved, the standard library has the last word), and what
cannot be read at all is taken for a start: nobody shall start unseen by being unclear.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ..core.storable import name
from ..core.wire import Act, Meaning
from .bodies import RunBody, assistant, run_body

_COMMANDS = frozenset({"run.start", "input.respond"})
_MESSAGES = frozenset({"message/send", "message/stream", "SendMessage", "SendStreamingMessage"})
_STREAMS = frozenset({"message/stream", "SendStreamingMessage"})
_CALLS = frozenset({"tools/call"})
_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError, ValueError)
_UNREADABLE = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A start that a message asks for.

    `message_id` is the message's own, for the answer to it. `continues` is the A2A task it goes on
    with. `readable` is False where nothing but the path was understood.
    """

    said: RunBody
    message_id: Any = None
    thread_id: str | None = None
    streams: bool = False
    continues: str | None = None
    readable: bool = True


def asked(meaning: Meaning, body: bytes | None) -> Asked | None:
    """What a message of one of `wire.DOORS` wants started; None if it starts nothing. `body` is
    None where it was too large to be read."""
    message = _UNREADABLE if body is None else _parsed(body)
    if message is _UNREADABLE:
        said = RunBody(assistant_id=assistant(meaning.assistant_id))
        return Asked(said=said, thread_id=meaning.thread_id, readable=False)
    methods, read = _READERS[meaning.act]
    found = _starting(message, methods)
    return None if found is None else read(meaning, found)


def _starting(message: Any, methods: frozenset[str]) -> Mapping[str, Any] | None:
    """The message; of a JSON-RPC batch, the first that starts something. Servers may refuse
    batches, but one that takes them shall not be a way round."""
    members = (_object(each) for each in (message if isinstance(message, list) else [message]))
    for each in members:
        if isinstance(method := each.get("method"), str) and method in methods:
            return each
    return None


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except _ERRORS:
        pass
    try:
        return json.loads(body)
    except _ERRORS:
        return _UNREADABLE


def _command(meaning: Meaning, message: Mapping[str, Any]) -> Asked:
    """`input.respond` goes on with what the thread was doing, and names no agent."""
    params = _object(message.get("params"))
    said = replace(
        run_body(_encoded(params)), strategy=name(params.get("multitaskStrategy")), bare=False
    )
    return Asked(said=said, message_id=message.get("id"), thread_id=meaning.thread_id)


def _a2a(meaning: Meaning, message: Mapping[str, Any]) -> Asked:
    """A context is a thread. A task is `<context>:<run>`, of the first run if there are several."""
    sent = _object(_object(message.get("params")).get("message"))
    task_id = name(sent.get("taskId"))
    context = name(sent.get("contextId"))
    if context is None and task_id is not None and ":" in task_id:
        context = task_id.partition(":")[0]
    return Asked(
        said=_instructed(meaning.assistant_id, sent.get("parts")),
        message_id=message.get("id"),
        thread_id=context,
        streams=message.get("method") in _STREAMS,
        continues=task_id,
    )


def _mcp(meaning: Meaning, message: Mapping[str, Any]) -> Asked:
    """Every graph is a tool, its name that of the graph. Clients may send one text as messages."""
    params = _object(message.get("params"))
    given = _object(params.get("arguments"))
    messages = given.get("messages")
    if isinstance(messages, str):
        said = _instructed(params.get("name"), messages)
    else:
        said = run_body(_encoded({"assistant_id": params.get("name"), "input": given}))
    # A tool's name is none but its own, whatever it looks like.
    said = replace(said, assistant_id=name(params.get("name")), bare=False)
    return Asked(said=said, message_id=message.get("id"))


def _instructed(assistant_id: Any, content: Any) -> RunBody:
    """What a run create would say that gives `assistant_id` one message."""
    run = {"assistant_id": assistant_id, "input": {"messages": [{"content": content}]}}
    return replace(run_body(_encoded(run)), bare=False)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _encoded(value: Any) -> bytes:
    """Nothing, where it is too deep or too large for Python to write what it has read."""
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):
        return b""


_Reader = Callable[[Meaning, Mapping[str, Any]], Asked]
_READERS: Mapping[Act, tuple[frozenset[str], _Reader]] = {
    Act.COMMAND: (_COMMANDS, _command),
    Act.COMMAND_SOCKET: (_COMMANDS, _command),
    Act.A2A: (_MESSAGES, _a2a),
    Act.MCP: (_CALLS, _mcp),
}
