"""Our encoder against the SDK's: what is on the wire is the same, for every kind of span."""

from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from tests.support.books import Story
from tests.unit.core.test_spans import GIVEN, TABLE, TELLER, cancelled, record, told
from tests.unit.telemetry.test_otel import SPAN

from subagent_sidecar.core.feed import ToldEvent
from subagent_sidecar.core.spans import Span
from subagent_sidecar.telemetry import otel
from subagent_sidecar.telemetry.encoding import Encoder

RESOURCE = Resource.create(
    {"service.name": "mine", "cores": 2, "tags": ["a", "b"]}, schema_url="https://schema.example"
)


def ours(*spans: Span) -> ExportTraceServiceRequest:
    made = ExportTraceServiceRequest()
    made.ParseFromString(Encoder(RESOURCE, otel.SCOPE).request(spans))
    return made


def of_the_sdk(*spans: Span) -> ExportTraceServiceRequest:
    made: ExportTraceServiceRequest = encode_spans(
        [otel.readable(each, RESOURCE) for each in spans]
    )
    return made


def of_stories() -> list[Span]:
    """Everything that is told of every story that the spans' own tests tell."""
    found: list[Span] = []
    for happens, _ in TABLE:
        story = Story()
        happens(story)
        found += told(story)
    return found


def of_the_reaper_and_of_a_refusal() -> list[Span]:
    story = Story()
    cancelled(story)
    (asked,) = (event for event in story.tables.events if event.kind == "cancel_asked")
    whose = {"agent_name": "graph", "session_id": "s", "upstream": "up"}
    reaped = replace(asked, kind="reaped", detail={"rule": "old", "evidence": {"age_s": 1.5}})
    detail = {"code": "limit", "limit": 5, "current": 5, "agent": "graph", "trace_parent": GIVEN}
    refused = replace(asked, kind="refused", detail=detail)
    records = {"t": record(story, "t")}
    events = [ToldEvent(event=event, **whose) for event in (reaped, refused)]
    return [span for each in events for span in TELLER.at_once(each, records)]


def test_the_spans_of_every_story_are_as_the_sdk_writes_them() -> None:
    spans = of_stories() + of_the_reaper_and_of_a_refusal()
    assert {span.name.partition(" ")[0] for span in spans} == {
        "start_async_task", "update_async_task", "run_began", "invoke_agent", "cancel_async_task",
        "reap_async_task", "refuse_async_task", "end_session",
    }  # fmt: skip
    assert ours(*spans) == of_the_sdk(*spans)


VALUES: tuple[Any, ...] = (
    "", "text", "\u00fc\U0001f600", True, False, 0, -1, 2**63 - 1, 0.0, 1.5, float("inf"), [],
    ["a", "b"], ("a", 1), {}, {"a": {"b": [1, None]}}, None,
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_every_kind_of_value_is(value: object) -> None:
    span = replace(SPAN, attributes={"it": value})
    assert ours(span) == of_the_sdk(span)
    assert [each.key for each in _only(ours(span)).attributes] == ["it"]


@pytest.mark.parametrize("value", ["\ud800", 2**63, object(), ["a", "\ud800"]], ids=ascii)
def test_what_cannot_be_written_down_is_left_out_and_nothing_else_with_it(value: object) -> None:
    span = replace(SPAN, attributes={"before": 1, "it": value, "after": 2})
    assert ours(span) == of_the_sdk(span)
    assert [each.key for each in _only(ours(span)).attributes] == ["before", "after"]


@pytest.mark.parametrize("error", [None, "", "timeout"])
@pytest.mark.parametrize("parent", [None, "6" * 16])
@pytest.mark.parametrize("calls", [True, False])
def test_every_kind_of_span_is(calls: bool, parent: str | None, error: str | None) -> None:
    span = replace(SPAN, calls=calls, parent_id=parent, error=error)
    assert ours(span) == of_the_sdk(span)


def test_names_that_cannot_be_written_down_cost_a_letter_and_not_the_batch() -> None:
    bad = replace(SPAN, name="invoke_agent \ud800", error="e\ud800")
    span = _only(ours(bad))
    assert (span.name, span.status.message) == ("invoke_agent ?", "e?")


def test_no_spans_are_an_empty_request() -> None:
    assert Encoder(RESOURCE, otel.SCOPE).request([]) == b"" == of_the_sdk().SerializeToString()


def _only(request: ExportTraceServiceRequest) -> Any:
    (span,) = request.resource_spans[0].scope_spans[0].spans
    return span
