"""Which thread and which run a span is of, by the keys under which emitters say so.

Seen on the wire of each emitter, unless it says otherwise. What is not in the table means nothing:
`langsmith.trace.session_id`, for one, is a project.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Protocol

from ..quick import quick
from ..trace_ids import sampled_parent

_MOST_ATTRIBUTES = 1_000
"""Of one span that are looked at; SDKs keep 128."""
_LONGEST_ID = 200
_LONGEST_JSON = 64 * 1024
"""Of metadata that is looked into."""


class Key(Enum):
    """What stands under a key. `SESSION` is the thread with most emitters, and whatever an
    application says with others, so every `THREAD` goes before it."""

    THREAD = "thread"
    SESSION = "session"
    RUN = "run"
    CONTEXT = "context"
    """The `sidecar_traceparent` of the run's metadata, which the sidecar itself put there."""
    METADATA = "metadata"
    """The run's whole metadata, as JSON text."""


@dataclass(frozen=True, slots=True)
class Emitter:
    """`keys` of span attributes. `source`: who was seen to set them, and where it says so."""

    name: str
    source: str
    keys: Mapping[str, Key]


EMITTERS = (
    Emitter(
        "OpenInference",
        "openinference-instrumentation-langchain, every span; metadata only under langgraph-api",
        {"session.id": Key.SESSION, "metadata": Key.METADATA},
    ),
    Emitter(
        "OpenLLMetry",
        "opentelemetry-instrumentation-langchain, every span but the root, which has the session",
        {
            "traceloop.association.properties.thread_id": Key.THREAD,
            "traceloop.association.properties.run_id": Key.RUN,
            "traceloop.association.properties.sidecar_traceparent": Key.CONTEXT,
            "gen_ai.conversation.id": Key.SESSION,
        },
    ),
    Emitter(
        "OpenTelemetry GenAI",
        "opentelemetry-instrumentation-genai-langchain and openlit, the root only",
        {"gen_ai.conversation.id": Key.SESSION},
    ),
    Emitter(
        "LangSmith",
        "the OTel export of the langsmith package (LANGSMITH_OTEL_ENABLED), every span",
        {
            "langsmith.metadata.thread_id": Key.THREAD,
            "langsmith.metadata.run_id": Key.RUN,
            "langsmith.metadata.sidecar_traceparent": Key.CONTEXT,
        },
    ),
    Emitter(
        "langgraph-api",
        "its own span worker.stream_run, where OTEL_ENABLED",
        {"langsmith.thread_id": Key.THREAD, "langsmith.run_id": Key.RUN},
    ),
    Emitter(
        "aegra",
        "its source (not tried), the local root; langfuse by itself has session.id",
        {
            "session.id": Key.SESSION,
            "langfuse.session.id": Key.SESSION,
            "langfuse.trace.metadata.run_id": Key.RUN,
        },
    ),
)

_KEYS: Mapping[str, Key] = {key: kind for each in EMITTERS for key, kind in each.keys.items()}
_OF_METADATA = (
    ("thread_id", Key.THREAD),
    ("run_id", Key.RUN),
    ("sidecar_traceparent", Key.CONTEXT),
)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """What a span that began at `at_ns` says of itself. `context` is the span id of its run, as
    its server was told it."""

    thread_id: str
    run_id: str | None = None
    context: str | None = None
    at_ns: int = 0


class Value(Protocol):
    """As in OTLP; `string_value` is empty where it is of another type."""

    @property
    def string_value(self) -> str: ...


class Attribute(Protocol):
    """As in OTLP."""

    @property
    def key(self) -> str: ...

    @property
    def value(self) -> Any: ...


def mention(attributes: Iterable[Attribute], at_ns: int = 0) -> Mention | None:
    """Whom a span with these attributes is of; None where it names no thread."""
    found: dict[Key, str] = {}
    for each in islice(attributes, _MOST_ATTRIBUTES):
        kind = _KEYS.get(each.key)
        if kind is None:
            continue
        text = each.value.string_value
        if kind is Key.METADATA:
            _read(text, found)
        elif 0 < len(text) <= _LONGEST_ID:
            found.setdefault(kind, text)
    thread_id = found.get(Key.THREAD) or found.get(Key.SESSION)
    if thread_id is None:
        return None
    context = sampled_parent(found.get(Key.CONTEXT, ""))
    return Mention(
        thread_id=thread_id,
        run_id=found.get(Key.RUN),
        context=None if context is None else context[36:52],
        at_ns=at_ns,
    )


def _read(text: str, found: dict[Key, str]) -> None:
    if not 0 < len(text) <= _LONGEST_JSON or "_id" not in text:
        return
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(metadata, dict):
        return
    for name, kind in _OF_METADATA:
        value = metadata.get(name)
        if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID:
            found.setdefault(kind, value)
