"""Whom a span is of, by what each emitter puts on it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.otlp_request import Emitted, request

from subagent_sidecar.core.rehoming.mentions import EMITTERS, Key, Mention, mention
from subagent_sidecar.core.trace_ids import traceparent

TRACEPARENT = traceparent("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
METADATA = json.dumps(
    {"thread_id": "T", "run_id": "R", "graph_id": "g", "sidecar_traceparent": TRACEPARENT}
)
PROPERTIES = "traceloop.association.properties."

# (what a span says, as (thread, run, context))
SAID: dict[str, tuple[Mapping[str, str], tuple[str | None, ...] | None]] = {
    "OpenInference on a server": (
        {"openinference.span.kind": "CHAIN", "session.id": "T", "metadata": METADATA},
        ("T", "R", "00f067aa0ba902b7"),
    ),
    "OpenInference elsewhere": ({"session.id": "T", "metadata": '{"a": 1}'}, ("T", None, None)),
    "OpenInference with a session of the application's": (
        {"session.id": "somebody", "metadata": METADATA},
        ("T", "R", "00f067aa0ba902b7"),
    ),
    "OpenLLMetry": (
        {f"{PROPERTIES}thread_id": "T", f"{PROPERTIES}run_id": "R", "gen_ai.system": "x"},
        ("T", "R", None),
    ),
    "OpenLLMetry told the context": (
        {f"{PROPERTIES}thread_id": "T", f"{PROPERTIES}sidecar_traceparent": TRACEPARENT},
        ("T", None, "00f067aa0ba902b7"),
    ),
    "OpenLLMetry's root": ({"gen_ai.conversation.id": "T"}, ("T", None, None)),
    "OpenTelemetry GenAI": (
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "T"},
        ("T", None, None),
    ),
    "LangSmith": (
        {
            "langsmith.trace.session_id": "a project",
            "langsmith.metadata.thread_id": "T",
            "langsmith.metadata.run_id": "R",
        },
        ("T", "R", None),
    ),
    "langgraph-api": ({"langsmith.thread_id": "T", "langsmith.run_id": "R"}, ("T", "R", None)),
    "aegra": (
        {"session.id": "T", "langfuse.session.id": "T", "langfuse.trace.metadata.run_id": "R"},
        ("T", "R", None),
    ),
    "httpx": ({"http.request.method": "GET", "url.full": "http://x/threads/T"}, None),
    "a run of nobody's": ({"langsmith.run_id": "R"}, None),
    "a project": ({"langsmith.trace.session_id": "T"}, None),
    "nothing": ({}, None),
    "empty": ({"session.id": ""}, None),
    "far too long": ({"session.id": "T" * 201}, None),
    "metadata that is no JSON": ({"metadata": "{thread_id: T}"}, None),
    "metadata that is no object": ({"metadata": '["thread_id"]'}, None),
    "metadata of other types": ({"metadata": '{"thread_id": 1, "run_id": {}}'}, None),
    "metadata nested too deeply": ({"metadata": "[" * 60_000 + "_id"}, None),
}


@pytest.mark.parametrize("name", SAID)
def test_each_emitter_is_understood(name: str) -> None:
    said, expected = SAID[name]
    found = mention(attributes(said), 7)
    assert found == (
        None
        if expected is None
        else Mention(thread_id=str(expected[0]), run_id=expected[1], context=expected[2], at_ns=7)
    )


def test_the_order_of_attributes_does_not_matter() -> None:
    said = {"langsmith.metadata.thread_id": "T", "session.id": "S"}
    backwards = dict(reversed(said.items()))
    assert mention(attributes(said)) == mention(attributes(backwards))


@pytest.mark.parametrize("emitter", EMITTERS, ids=lambda emitter: emitter.name)
def test_every_emitter_says_a_thread_and_has_a_source(emitter: object) -> None:
    assert emitter in EMITTERS
    for each in EMITTERS:
        assert {Key.THREAD, Key.SESSION} & set(each.keys.values())
        assert each.source


def test_of_more_attributes_than_any_span_has_the_rest_is_not_looked_at() -> None:
    many = {f"k{number}": "v" for number in range(1_000)}
    assert mention(attributes({**many, "session.id": "T"})) is None
    assert mention(attributes({"session.id": "T", **many})) is not None


def test_a_number_is_no_thread() -> None:
    made = request(Emitted(id=1))
    attribute = made.resource_spans[0].scope_spans[0].spans[0].attributes.add()
    attribute.key = "session.id"
    attribute.value.int_value = 5
    assert mention(made.resource_spans[0].scope_spans[0].spans[0].attributes) is None


@given(st.text(max_size=300))
def test_whatever_metadata_says_nothing_is_raised(text: str) -> None:
    mention(attributes({"metadata": f'{{"thread_id": {text}', "session.id": "T"}))


def attributes(said: Mapping[str, str]) -> Any:
    made = request(Emitted(id=1, said=said))
    return made.resource_spans[0].scope_spans[0].spans[0].attributes
