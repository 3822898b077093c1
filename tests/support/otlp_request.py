"""Requests as emitters make them, by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

A, B = bytes.fromhex("a" * 32), bytes.fromhex("b" * 32)
"""Two traces."""


def span_id(number: int) -> bytes:
    return number.to_bytes(8, "big")


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """A span; `parent` 0 for a root. `links` are (trace, span)."""

    id: int
    trace: bytes = A
    parent: int = 0
    name: str = "work"
    said: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[tuple[bytes, int]] = ()
    start_ns: int = 1_790_000_000_000_000_000
    failed: str | None = None


def request(
    *spans: Emitted, service: str = "agent-server", scope: str = "emitter"
) -> ExportTraceServiceRequest:
    """All of one resource and scope."""
    made = ExportTraceServiceRequest()
    of_resource = made.resource_spans.add()
    _say(of_resource.resource, {"service.name": service})
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = scope
    for each in spans:
        _add(of_scope.spans.add(), each)
    return made


def _add(span: Any, each: Emitted) -> None:
    span.trace_id, span.span_id, span.name = each.trace, span_id(each.id), each.name
    if each.parent:
        span.parent_span_id = span_id(each.parent)
    span.start_time_unix_nano = each.start_ns
    span.end_time_unix_nano = each.start_ns + 1_000_000
    _say(span, each.said)
    for trace, number in each.links:
        link = span.links.add()
        link.trace_id, link.span_id = trace, span_id(number)
    if each.failed is not None:
        span.status.code = 2
        span.status.message = each.failed


def _say(place: Any, said: Mapping[str, str]) -> None:
    for key, value in said.items():
        attribute = place.attributes.add()
        attribute.key = key
        attribute.value.string_value = value
