"""Spans through the SDK's exporters: the ids, times and words they were given."""

import json
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from tests.support import otlp_grpc
from tests.support.otlp_sink import OtlpSink

from subagent_sidecar.core.spans import Span
from subagent_sidecar.telemetry import Where, otel

SPAN = Span(
    name="invoke_agent a",
    trace_id="4" * 32,
    span_id="5" * 16,
    parent_id="6" * 16,
    start="2026-01-01T00:00:00.000001Z",
    end="2026-01-01T02:00:00.000000Z",
    attributes={"n": 1, "texts": ["a", "b"], "strange": "\ud800"},
    error="timeout",
    calls=True,
)
START_NS = 1_767_225_600_000_001_000


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.requests: list[trace_service_pb2.ExportTraceServiceRequest] = []

    def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: object
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        self.requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    found = Collector()
    with otlp_grpc.serving(found, trace_service_pb2_grpc.add_TraceServiceServicer_to_server) as url:
        yield found, url


def test_grpc(collector: tuple[Collector, str]) -> None:
    found, url = collector
    sender = otel.sender(Where(protocol="grpc", url=url))
    assert sender.send([SPAN])
    sender.close()
    (resource_spans,) = found.requests[0].resource_spans
    (span,) = resource_spans.scope_spans[0].spans
    assert span.name == "invoke_agent a"
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    assert ids == (SPAN.trace_id, SPAN.span_id, SPAN.parent_id)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (
        START_NS,
        START_NS - 1_000 + 7_200 * 1_000_000_000,
    )
    assert (span.kind, span.status.code, span.status.message) == (3, 2, "timeout")
    assert {each.key for each in span.attributes} >= {"n", "texts"}


def test_http_by_the_standard_variables() -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s%20ecret",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    with OtlpSink().running() as sink:
        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink.url
        sender = otel.sender(Where(protocol="http/protobuf", url=None), variables)
        assert sender.send([SPAN])
        sender.close()
    (span,), (headers,) = sink.spans, sink.headers
    assert (span.name, span.attributes["texts"]) == ("invoke_agent a", ["a", "b"])
    found = {name.lower(): value for name, value in headers.items()}
    assert (found["api-key"], found["content-encoding"]) == ("s ecret", "gzip")


def test_who_gives_credentials_is_for_the_sdk_to_ask() -> None:
    provider = {"OTEL_PYTHON_EXPORTER_OTLP_CREDENTIAL_PROVIDER": "somebody"}
    for protocol in ("http/protobuf", "grpc"):
        where = Where(protocol=protocol, url="http://127.0.0.1:1")
        for variables, kind in ((provider, otel.SdkSender), ({}, otel.PostingSender)):
            sender = otel.sender(where, variables)
            assert isinstance(sender, kind)
            sender.close()


def test_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    sender = otel.sender(Where(protocol="console", url=None))
    assert sender.send([SPAN])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["context"]["trace_id"]) == ("invoke_agent a", f"0x{'4' * 32}")
