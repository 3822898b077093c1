"""Reading what a request for a thread or a run says about itself.

Lenient throughout: a body that cannot be understood says nothing about itself, and the server
will say what it thinks of it. Nothing here changes what is forwarded.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from ..core import instruction
from ..core.model import Item
from ..core.quick import quick
from ..core.storable import name

_MAX_READ = 256 * 1024
_UUID_DIGITS = 32

Part = TypeVar("Part", bound=msgspec.Struct)


@quick
@dataclass(frozen=True, slots=True)
class RunBody:
    """What the body of a run create tells. None where it is silent or not understood.

    `purpose` is the beginning of the instruction, `fingerprint` is equal for equal ones.
    """

    assistant_id: str | None = None
    agent_name: str | None = None
    session_id: str | None = None
    strategy: str | None = None
    purpose: str | None = None
    fingerprint: str | None = None
    bare: bool = False
    """Whether the body was found to be a well-formed JSON object that has no `metadata`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadBody:
    session_id: str | None = None
    agent_name: str | None = None


class _Metadata(msgspec.Struct):
    subagent_name: Any = None
    parent_thread_id: Any = None


class _Parent(msgspec.Struct):
    thread_id: Any = None


class _Configurable(msgspec.Struct):
    deepagents_parent: _Parent | None = None


class _Config(msgspec.Struct):
    configurable: _Configurable | None = None


class _Run(msgspec.Struct):
    """Every object is one: parts are read each for itself, so that an odd one hides no other."""

    assistant_id: Any = None
    multitask_strategy: Any = None
    metadata: msgspec.Raw = msgspec.Raw()
    config: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct):
    content: Any = None


class _Input(msgspec.Struct):
    messages: list[_Message] | None = None
    callbackThreadId: Any = None


class _UsualRun(msgspec.Struct):
    """What deepagents sends: read in one go."""

    assistant_id: Any = None
    multitask_strategy: Any = None
    metadata: _Metadata | msgspec.UnsetType | None = msgspec.UNSET
    config: _Config | None = None
    input: _Input | None = None


class _Thread(msgspec.Struct):
    metadata: _Metadata | None = None


class _Cancel(msgspec.Struct):
    thread_id: Any = None
    run_ids: Any = None
    status: Any = None


_USUAL = msgspec.json.Decoder(_UsualRun)
_RUN = msgspec.json.Decoder(_Run)
_RUNS = msgspec.json.Decoder(list[_Run])
_METADATA = msgspec.json.Decoder(_Metadata)
_CONFIG = msgspec.json.Decoder(_Config)
_THREAD = msgspec.json.Decoder(_Thread)
_CANCEL = msgspec.json.Decoder(_Cancel)
_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError, ValueError)


def run_body(body: bytes) -> RunBody:
    """What a run create says."""
    if len(body) <= _MAX_READ:
        try:
            return _usual_run(_USUAL.decode(body))
        except _ERRORS:
            pass  # unusual, or not understood at all
    try:
        run = _RUN.decode(body)
        return _run(run, bare=not memoryview(run.metadata))
    except _ERRORS:
        return _run(_loose_run(_read_loosely(body)))


def _usual_run(run: _UsualRun) -> RunBody:
    purpose = fingerprint = callback_thread_id = None
    if (given := run.input) is not None:
        callback_thread_id = given.callbackThreadId
        if given.messages:
            purpose, fingerprint = instruction.read([each.content for each in given.messages])
    metadata, strategy = run.metadata, run.multitask_strategy
    return RunBody(  # in their order: by their names it takes twice as long
        assistant(run.assistant_id),
        name(metadata.subagent_name) if isinstance(metadata, _Metadata) else None,
        _session(run.config, callback_thread_id),
        None if strategy is None else name(strategy),
        purpose,
        fingerprint,
        metadata is msgspec.UNSET,
    )


def batch_body(body: bytes) -> RunBody:
    """What a batch says of itself: what its first run says."""
    runs = _batch(body)
    return _run(runs[0]) if runs else RunBody()


def batch_items(body: bytes) -> Sequence[Item]:
    """What each run of a batch says."""
    return [
        Item(
            agent_name=run.agent_name,
            assistant_id=run.assistant_id,
            purpose=run.purpose,
            fingerprint=run.fingerprint,
        )
        for run in map(_run, _batch(body))
    ]


def _batch(body: bytes) -> Sequence[_Run]:
    try:
        return _RUNS.decode(body)
    except _ERRORS:
        loose = _read_loosely(body)
        return [_loose_run(item) for item in loose] if isinstance(loose, list) else []


def _loose_run(value: Any) -> _Run:
    """A run from what the standard library made of a body that msgspec would not read: wrongly
    typed members, lone surrogates, numbers too large."""
    members = value if isinstance(value, dict) else {}
    parts = ("metadata", "config", "input")
    return _Run(
        assistant_id=members.get("assistant_id"),
        multitask_strategy=members.get("multitask_strategy"),
        **{part: _raw(members[part]) for part in parts if part in members},
    )


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _loose_metadata(value: Any) -> _Metadata:
    return _Metadata(
        subagent_name=_at(value, "metadata", "subagent_name"),
        parent_thread_id=_at(value, "metadata", "parent_thread_id"),
    )


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _run(run: _Run, *, bare: bool = False) -> RunBody:
    given = _read(run.input)
    purpose, fingerprint = instruction.read(instruction.contents(given))
    metadata = _part(run.metadata, _METADATA)
    return RunBody(
        assistant_id=assistant(run.assistant_id),
        agent_name=name(metadata.subagent_name) if metadata else None,
        session_id=_session(_part(run.config, _CONFIG), _at(given, "callbackThreadId")),
        strategy=name(run.multitask_strategy),
        purpose=purpose,
        fingerprint=fingerprint,
        bare=bare,
    )


def _part(raw: msgspec.Raw, decoder: "msgspec.json.Decoder[Part]") -> Part | None:
    """None where it is missing, or is not of its shape."""
    try:
        return decoder.decode(raw) if len(memoryview(raw)) else None
    except _ERRORS:
        return None


def _session(config: _Config | None, callback_thread_id: Any) -> str | None:
    """deepagents says who is asking in the run's config (Python) or input (JavaScript)."""
    configurable = None if config is None else config.configurable
    parent = None if configurable is None else configurable.deepagents_parent
    if parent is not None and (found := name(parent.thread_id)):
        return found
    return name(callback_thread_id)


def thread_body(body: bytes) -> ThreadBody:
    """What a thread create says."""
    try:
        metadata = _THREAD.decode(body).metadata or _Metadata()
    except _ERRORS:
        metadata = _loose_metadata(_read_loosely(body))
    return ThreadBody(
        session_id=name(metadata.parent_thread_id), agent_name=name(metadata.subagent_name)
    )


def cancelled_runs(body: bytes) -> tuple[str | None, Sequence[str], str | None]:
    """(thread id, run ids, status) of a bulk cancel."""
    try:
        cancel = _CANCEL.decode(body)
    except _ERRORS:
        return None, (), None
    ids = cancel.run_ids if isinstance(cancel.run_ids, list) else []
    return (
        name(cancel.thread_id),
        [run_id for run_id in ids if isinstance(run_id, str)],
        name(cancel.status),
    )


def _read(raw: msgspec.Raw) -> Any:
    if not 0 < len(memoryview(raw)) <= _MAX_READ:
        return None
    try:
        return msgspec.json.decode(raw)
    except _ERRORS:
        return _read_loosely(bytes(raw))


def _read_loosely(text: bytes) -> Any:
    """The standard library accepts the lone surrogates and NaN that clients do send."""
    if len(text) > _MAX_READ:
        return None
    try:
        return json.loads(text)
    except _ERRORS:
        return None


def assistant(value: object) -> str | None:
    """The name of a graph, or the id of an assistant as everybody writes it. Servers take all that
    Python does: in braces, behind `urn:uuid:`, dashes anywhere, digits of any script."""
    if isinstance(value, str) and len(value) >= _UUID_DIGITS:
        try:
            return str(UUID(value))
        except ValueError:
            pass
    return name(value)
