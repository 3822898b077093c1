"""Traces of others through a real sidecar, from the SDK's own exporter to a real endpoint."""

import asyncio
import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from tests.integration.cancel.rig import WITHIN, Desk, desk
from tests.integration.traces.test_trees import ended, start
from tests.support.otlp_request import A, B, Emitted, request
from tests.support.otlp_sink import OtlpSink, SinkSpan, broken_trees
from tests.support.waiting import eventually, eventually_got

ROUTE = "/sidecar/otlp/v1/traces"
PROTOBUF = "application/x-protobuf"


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink().running() as running:
        yield running


async def send(
    at: Desk, body: bytes, *, path: str = ROUTE, kind: str = PROTOBUF, **headers: str
) -> Any:
    fields = {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await at.client.call("POST", path, raw=body, headers=fields)


async def emitted(at: Desk, *spans: Emitted) -> None:
    answer = await send(at, request(*spans).SerializeToString())
    assert (answer.status, answer.body) == (200, b"")


def of(task_id: str, run_id: str) -> dict[str, str]:
    return {"langsmith.metadata.thread_id": task_id, "langsmith.metadata.run_id": run_id}


async def named(sink: OtlpSink, name: str) -> SinkSpan:
    await eventually(lambda: sink.named(name), within=WITHIN)
    (span,) = sink.named(name)
    return span


async def test_what_a_server_tells_of_a_run_is_part_of_its_tasks_trace(sink: OtlpSink) -> None:
    def work(url: str, run: Mapping[str, str]) -> None:
        provider = TracerProvider(resource=Resource.create({"service.name": "agents"}))
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(url + ROUTE)))
        tracer = provider.get_tracer("emitter")
        graph = tracer.start_as_current_span("graph", attributes=run)
        with graph, tracer.start_as_current_span("query"):
            pass  # it says nothing of whose it is, and comes first
        provider.shutdown()

    async with desk(otlp_endpoint=sink.url) as at:
        root, _ = await start(at, "quick")
        task_id, run_id = await start(at, "quick", session=root)
        await asyncio.to_thread(work, at.client.url, of(task_id, run_id))
        await ended(sink, 2)
        graph = await named(sink, "graph")
        task = await at.task(task_id)
        told = await at.admin.call("GET", f"/v1/tasks/{task_id}/spans")
        tree = await at.admin.call("GET", f"/v1/traces/{root}")
    assert broken_trees(sink.spans) == []
    assert (graph.trace_id, graph.parent) == (task["trace_id"], task["span_id"])
    assert sink.named("query")[0].parent == graph.span_id
    assert graph.resource["service.name"] == "agents"
    assert graph.attributes["subagent.original_trace_id"] != graph.trace_id
    assert [(s["name"], s["service"], s["run_id"]) for s in told.json["spans"]] == [
        ("query", "agents", run_id),
        ("graph", "agents", run_id),
    ]
    assert tree.json["spans"] == [{"task_id": task_id, **span} for span in told.json["spans"]]


async def test_in_mode_link_a_root_points_to_its_run_and_nothing_moves(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url, otlp_receive="link") as at:
        task_id, run_id = await start(at, "quick")
        root, child = Emitted(id=1, name="root"), Emitted(id=2, parent=1, name="child")
        await emitted(at, child, Emitted(id=3, parent=1, said=of(task_id, run_id)), root)
        linked = await named(sink, "root")
        task = await at.task(task_id)
    assert linked.links == ((task["trace_id"], task["span_id"]),)
    assert {span.trace_id for span in sink.spans} == {task["trace_id"], A.hex()}
    assert (await named(sink, "child")).links == ()


async def test_in_mode_pass_it_is_nobodys(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url, otlp_receive="pass") as at:
        task_id, run_id = await start(at, "quick")
        await emitted(at, Emitted(id=1, name="root", said=of(task_id, run_id)))
        span = await named(sink, "root")
    assert (span.trace_id, span.parent, span.links) == (A.hex(), "", ())


async def test_a_supervisors_trace_that_the_tasks_are_in_passes_at_once(sink: OtlpSink) -> None:
    context = f"00-{A.hex()}-{'0' * 15}1-01"
    async with desk(otlp_endpoint=sink.url, otlp_hold="1h") as at:
        task_id, _ = await start(at, "quick", session="supervisor", traceparent=context)
        await emitted(at, Emitted(id=1, name="turn", said={"session.id": "supervisor"}))
        turn = await named(sink, "turn")
        await ended(sink, 1)
        assert (await at.task(task_id))["trace_id"] == turn.trace_id
    assert broken_trees(sink.spans) == []
    assert "subagent.original_trace_id" not in turn.attributes


async def test_what_comes_before_who_says_whose_it_is_waits_for_him(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url, otlp_hold="1h") as at:
        task_id, run_id = await start(at, "quick")
        await emitted(at, Emitted(id=2, parent=1, name="leaf"))
        await metric_is(at, "otlp_spans_waiting", 1)
        assert not sink.named("leaf")
        await emitted(at, Emitted(id=1, name="graph", said=of(task_id, run_id)))
        leaf, graph = await named(sink, "leaf"), await named(sink, "graph")
        assert leaf.trace_id == graph.trace_id == (await at.task(task_id))["trace_id"]
        await metric_is(at, "otlp_spans_waiting", 0)
        await metric_is(at, 'otlp_spans_total{result="rehomed"}', 2)


async def test_what_nobody_claims_passes_as_it_came(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url, otlp_hold="10ms") as at:
        await emitted(at, Emitted(id=1, name="other", trace=B, said={"session.id": "nobody"}))
        span = await named(sink, "other")
    assert (span.trace_id, span.parent) == (B.hex(), "")


async def test_what_is_held_when_the_sidecar_stops_is_sent_on(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url, otlp_hold="1h") as at:
        await emitted(at, Emitted(id=1, name="held"))
        assert not sink.named("held")
    assert [span.trace_id for span in sink.named("held")] == [A.hex()]


async def test_json_and_gzip_are_answered_in_kind(sink: OtlpSink) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": A.hex(), "spanId": "00" * 7 + "01", "name": "json", "startTimeUnixNano": "1"},
        {"traceId": "no", "spanId": "00" * 7 + "02", "name": "bad"},
    ]}]}]}  # fmt: skip
    async with desk(otlp_endpoint=sink.url, otlp_hold="10ms") as at:
        packed = gzip.compress(json.dumps(body).encode())
        answer = await send(at, packed, kind="application/json", content_encoding="gzip")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        told = answer.json["partialSuccess"]
        assert told["rejectedSpans"] == "1"
        assert "trace id" in told["errorMessage"]
        assert (await named(sink, "json")).start_ns == 1
        await metric_is(at, 'otlp_spans_dropped_total{reason="invalid"}', 1)


async def test_failures_are_told_as_otlp_has_it(sink: OtlpSink) -> None:
    """failures.md rows 16 and 17"""
    bomb = gzip.compress(bytes(2**20))
    async with desk(otlp_endpoint=sink.url, otlp_max_body="16KiB") as at:
        for body, headers, status, code in (
            (b"\xff\xff", {}, 400, 3),
            (b"", {"content_encoding": "gzip"}, 200, 0),
            (b"no gzip", {"content_encoding": "gzip"}, 400, 3),
            (bomb, {"content_encoding": "gzip"}, 413, 8),
            (bytes(2**14 + 1), {}, 413, 8),
            (b"", {"content_encoding": "br"}, 415, 3),
        ):
            answer = await send(at, body, **headers)
            assert (answer.status, Status.FromString(answer.body).code) == (status, code)
            assert answer.headers["content-type"] == PROTOBUF
        unknown = await send(at, b"", kind="text/plain")
        assert (unknown.status, unknown.json["code"]) == (415, "unknown_encoding")
        told = await send(at, b"{", kind="application/json")
        assert (told.status, told.json["code"]) == (400, 3)
        got = await at.client.call("GET", ROUTE)
        assert (got.status, got.json["code"]) == (404, "no_such_route")


async def test_an_endpoint_that_is_down_fills_the_buffer_and_emitters_are_told(
    sink: OtlpSink,
) -> None:
    """failures.md row 12: nothing waits, nothing is lost, and memory is bounded."""
    sink.silence()
    async with desk(
        otlp_endpoint=sink.url, otlp_buffer="64KiB", otlp_max_body="16KiB", otlp_hold="0s"
    ) as at:
        sent = 0
        while True:
            made = request(Emitted(id=sent + 1, name="big", said={"k": "v" * 10_000}))
            answer = await send(at, made.SerializeToString())
            if answer.status != 200:
                break
            sent += 1
            assert sent < 20
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert Status.FromString(answer.body).code == 14
        await start(at, "quick")  # nobody else minds
        await metric_is(at, "otlp_requests_turned_away_total", 1)
        assert 0 < await metric(at, "otlp_buffer_bytes") <= 64 * 1024
        sink.speak()
        await eventually(lambda: len(sink.named("big")) >= sent, within=WITHIN)
        await metric_is(at, "otlp_spans_sent_total", sent)


async def test_without_an_endpoint_spans_are_seen_and_it_is_said_that_they_go_nowhere() -> None:
    async with desk() as at:
        task_id, run_id = await start(at, "quick")
        made = request(Emitted(id=1, name="graph", said=of(task_id, run_id)))
        answer = await send(at, made.SerializeToString())
        said = ExportTraceServiceResponse.FromString(answer.body).partial_success
        assert (answer.status, said.rejected_spans) == (200, 0)
        assert "otlp_endpoint" in said.error_message
        await eventually_got(
            lambda: at.admin.call("GET", f"/v1/tasks/{task_id}/spans"),
            lambda told: [span["name"] for span in told.json["spans"]] == ["graph"],
            within=WITHIN,
        )
        await metric_is(at, 'otlp_spans_dropped_total{reason="no_endpoint"}', 1)


async def test_one_that_is_to_receive_nothing_says_so() -> None:
    async with desk(otlp_receive="off") as at:
        answer = await send(at, b"")
        assert answer.status == 404
        assert "otlp_receive" in Status.FromString(answer.body).message


async def metric_is(at: Desk, name: str, value: float) -> None:
    """Sooner or later: a page of metrics may be a second old."""
    await eventually_got(lambda: metric(at, name), lambda found: found == value, within=WITHIN)


async def metric(at: Desk, name: str) -> float:
    page = (await at.admin.call("GET", "/metrics")).body.decode()
    (value,) = [
        line.rpartition(" ")[2]
        for line in page.splitlines()
        if line.startswith(f"subagent_{name} ")
    ]
    return float(value)
