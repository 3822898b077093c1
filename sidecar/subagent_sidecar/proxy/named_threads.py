"""Which threads a body names, for those who may name only their own.

Read as servers read it (the last of two equal members counts). What cannot be read is refused, not
passed on: it may say anything.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

from ..core.access import spelt
from ..errors import BadBody, BodyTooLarge, NeedsEveryTask, RunNotFound
from .calls import Call
from .unread import is_encoded

_ERRORS = (UnicodeError, RecursionError, ValueError)

_SENDS = frozenset({"message/send", "message/stream", "SendMessage", "SendStreamingMessage"})
_ASKS = frozenset({"tasks/get", "tasks/cancel", "GetTask", "CancelTask"})
_CARD = frozenset({"GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"})
_CONTEXT = ("contextId", "context_id")
_TASK = ("taskId", "task_id")
_IDS = (*_CONTEXT, *_TASK, "id", "name")
_REFERENCES = ("referenceTaskIds", "reference_task_ids")
_MOST = 1_000
"""Threads or runs that one body may name: each is looked up."""
_PLACES = (("checkpoint",), ("config", "configurable"), ("context",), ("before", "configurable"))
"""Where a thread may be named beside the one in the path: of a run, of a change of a thread's
state, of a question about it."""
_FIELD = "thread_id"
"""Servers may be told to take any field of a request's header for a part of `configurable`."""
_HARMLESS = frozenset({"initialize", "ping", "tools/list", "tools/call"})


@dataclass(frozen=True, slots=True)
class Contexts:
    """What an A2A message names: `there` must be the caller's; `perhaps` may be new as well."""

    there: frozenset[str]
    perhaps: frozenset[str]


def body_of(call: Call) -> Any:
    """What stands in a body. Raises BodyTooLarge, BadBody where nobody can tell."""
    if call.incoming.stream is not None:
        raise BodyTooLarge(
            f"this body has more than {call.limits.inspect_limit} bytes (inspect_limit) and is not "
            "read, so that nobody can tell whose threads it names"
        )
    if is_encoded(call):
        raise BadBody(
            "a body with a Content-Encoding is not read, so that nobody can tell whose threads it "
            "names; send plain JSON"
        )
    try:
        return json.loads(call.incoming.whole or b"{}")
    except _ERRORS as error:
        raise BadBody("the body is not JSON") from error


def made_as(body: Any) -> str | None:
    """The id that a new thread is to have, if its maker gives one."""
    given = body.get("thread_id") if isinstance(body, dict) else None
    if given is None or given == "":
        return None
    if not isinstance(given, str):
        raise BadBody("thread_id: must be a string")
    return spelt(given)


def creates(call: Call) -> bool:
    """Whether a start makes its thread where there is none."""
    return _object(body_of(call)).get("if_not_exists") == "create"


def beside(call: Call) -> frozenset[str]:
    """The threads that a request about one, or a batch of starts, names in its settings. The newest
    langgraph-api heeds none but the one in the path; older ones do in what is asked of a state, and
    other servers may anywhere."""
    body = body_of(call)
    found = {spelt(given) for given in call.request.headers.getall(_FIELD, ())}
    for each in body if isinstance(body, list) else [body]:
        said = _object(each)
        for holder in (said, _object(said.get("params"))):
            found.update(_in_places(holder))
    _refuse_too_many(found)
    return frozenset(found)


def _in_places(said: Mapping[str, Any]) -> Iterator[str]:
    for place in _PLACES:
        holder = said
        for key in place:
            holder = _object(holder.get(key))
        if isinstance(given := holder.get("thread_id"), str):
            yield spelt(given)


def cancelled(body: Any) -> tuple[str, Sequence[str]]:
    """The thread and the runs of a bulk cancel. Raises NeedsEveryTask where it is by status, which
    acts on every thread there is."""
    thread_id = body.get("thread_id") if isinstance(body, dict) else None
    run_ids = body.get("run_ids") if isinstance(body, dict) else None
    if not isinstance(thread_id, str) or not isinstance(run_ids, list) or body.get("status"):
        raise NeedsEveryTask(
            "a bulk cancel names a thread_id and its run_ids here: by status it would be about the "
            "tasks of other supervisors, too (a key made with --every-task may)"
        )
    if not all(isinstance(run_id, str) for run_id in run_ids):
        raise RunNotFound("No runs found to cancel.")
    _refuse_too_many(run_ids)
    return spelt(thread_id), [spelt(run_id) for run_id in run_ids]


def contexts(body: Any) -> Contexts:
    """The threads that an A2A message, or a batch of them, names. Raises NeedsEveryTask."""
    there: set[str] = set()
    perhaps: set[str] = set()
    for message in _messages(body):
        method, params = _method(message), _object(message.get("params"))
        if method in _SENDS:
            sent = _object(params.get("message"))
            perhaps |= _ids((sent, _CONTEXT), (params, _CONTEXT))
            there |= _ids((sent, _TASK), (params, (*_TASK, "id", "name")))
            for name in _REFERENCES:
                there |= {_context(each) for each in _strings(sent.get(name))}
        elif method in _ASKS:
            there |= _ids((params, _IDS))
        elif method not in _CARD:
            raise _not_understood(method)
    _refuse_too_many(there | perhaps)
    return Contexts(frozenset(there), frozenset(perhaps - there))


def only_harmless(body: Any) -> None:
    """Raises NeedsEveryTask unless a message of MCP is one that asks for no thread: what a tool is
    called with runs on a thread of its own."""
    for message in _messages(body):
        if "method" not in message:
            continue  # an answer
        method = _method(message)
        if method not in _HARMLESS and not method.startswith("notifications/"):
            raise _not_understood(method)


def _refuse_too_many(ids: Sized) -> None:
    if len(ids) > _MOST:
        raise BadBody(f"this body names {len(ids):,} threads or runs; it may name {_MOST:,}")


def _messages(body: Any) -> Iterator[Mapping[str, Any]]:
    for each in body if isinstance(body, list) else [body]:
        if not isinstance(each, dict):
            raise BadBody("the body is no message")
        yield each


def _method(message: Mapping[str, Any]) -> str:
    """Servers call none that is no string."""
    method = message.get("method")
    return method if isinstance(method, str) else ""


def _ids(*places: tuple[Mapping[str, Any], Iterable[str]]) -> set[str]:
    return {
        _context(given)
        for holder, names in places
        for name in names
        if isinstance(given := holder.get(name), str) and given
    }


def _context(given: str) -> str:
    """The thread of an id such as `<context>:<run>`, or `tasks/<context>:<run>`. A urn has colons
    of its own."""
    given = given.removeprefix("tasks/")
    whole = spelt(given)
    return whole if whole != given else spelt(given.partition(":")[0])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, str))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _not_understood(method: str) -> NeedsEveryTask:
    return NeedsEveryTask(
        f"nobody can tell whose tasks the method '{method[:80]}' is about; a key made with "
        "--every-task may call it"
    )
