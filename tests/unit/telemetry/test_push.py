"""Metrics that are pushed: what is on the wire, and what a dead endpoint does."""

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from tests.support import otlp_grpc
from tests.support.otlp_sink import OtlpSink
from tests.support.waiting import eventually

from subagent_sidecar.core.metrics import instruments as i
from subagent_sidecar.core.metrics.families import Family, plain
from subagent_sidecar.core.metrics.meters import LONG, Histogram
from subagent_sidecar.telemetry import Exporting, MetricsPush, Reading, Where, otel_metrics
from subagent_sidecar.testing import FakeClock

BEGAN, AT = 1_767_225_600_000_000_000, 1_767_225_660_000_000_000
CUMULATIVE = 2


def families() -> list[Family]:
    waited = Histogram(LONG)
    for seconds in (0.5, 3.0, 100_000.0):
        waited.observe(seconds)
    return [
        Family(i.TASKS_STARTED, {("up", "coder"): 7.0}),
        plain(i.STORE_WAITING, 3),
        Family(i.BUILD_INFO, {("1", "3", "sqlite"): 1}),
        Family(i.RUN_QUEUE, histograms={("up", "coder"): waited}),
    ]


def told(request: Any) -> dict[str, Any]:
    (resource,) = request.resource_metrics
    return {metric.name: metric for metric in resource.scope_metrics[0].metrics}


def attributes(point: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in point.attributes}


def is_whole(request: Any) -> None:
    metrics = told(request)
    assert list(metrics) == [family.instrument.name for family in families()]
    started = metrics["subagent_tasks_started_total"].sum
    (point,) = started.data_points
    assert (started.is_monotonic, started.aggregation_temporality) == (True, CUMULATIVE)
    assert (point.as_double, attributes(point)) == (7.0, {"upstream": "up", "agent": "coder"})
    assert (point.start_time_unix_nano, point.time_unix_nano) == (BEGAN, AT)
    assert metrics["subagent_store_writes_waiting"].gauge.data_points[0].as_int == 3
    (build,) = metrics["subagent_build_info"].gauge.data_points
    assert attributes(build) == {"version": "1", "python": "3", "store": "sqlite"}
    queue = metrics["subagent_run_queue_seconds"]
    (waited,) = queue.histogram.data_points
    assert (queue.unit, queue.histogram.aggregation_temporality) == ("s", CUMULATIVE)
    assert (waited.count, waited.sum, list(waited.explicit_bounds)) == (3, 100_003.5, list(LONG))
    assert list(waited.bucket_counts) == [1, 0, 1, *[0] * 12, 1]
    assert not waited.HasField("min") and not waited.HasField("max")
    (resource,) = request.resource_metrics
    whose = attributes(resource.resource)
    assert (whose["service.name"], whose["service.instance.id"]) == ("subagent-sidecar", "box:1")


def test_over_http() -> None:
    with OtlpSink().running() as sink:
        where = Where(protocol="http/protobuf", url=f"{sink.url}/v1/metrics")
        sender = otel_metrics.sender(where, "box:1")
        assert sender.send([Reading(families(), BEGAN, AT)])
        sender.close()
    (request,) = sink.pushes
    is_whole(request)


class Collector(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self) -> None:
        self.requests: list[metrics_service_pb2.ExportMetricsServiceRequest] = []

    def Export(
        self, request: metrics_service_pb2.ExportMetricsServiceRequest, context: object
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        self.requests.append(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    found = Collector()
    with otlp_grpc.serving(
        found, metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
    ) as url:
        yield found, url


def test_over_grpc(collector: tuple[Collector, str]) -> None:
    found, url = collector
    sender = otel_metrics.sender(Where(protocol="grpc", url=url), "box:1")
    assert sender.send([Reading(families(), BEGAN, AT)])
    sender.close()
    is_whole(found.requests[0])


@dataclass
class Endpoint:
    """telemetry.Sender; `hole`: nothing comes back until it is set."""

    takes: bool = True
    taken: list[Reading] = field(default_factory=list)
    attempts: int = 0
    hole: threading.Event | None = None

    problem: str = ""
    rejected: int = 0

    def send(self, readings: Sequence[Reading]) -> bool:
        self.attempts += 1
        if self.hole is not None:
            self.hole.wait()
        if self.takes:
            self.taken += readings
        return self.takes

    def close(self) -> None:
        if self.hole is not None:
            self.hole.set()


def pushing(endpoint: Endpoint, clock: FakeClock, **given: float) -> MetricsPush:
    async def gather() -> list[Family]:
        return families()

    return MetricsPush(
        gather=gather,
        clock=clock,
        exporting=Exporting(lambda: endpoint),
        every_s=given.pop("every_s", 60.0),
        **given,
    )


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [getattr(record, "action", "") for record in caplog.records]


async def test_sums_are_since_the_beginning_with_every_push() -> None:
    endpoint, clock = Endpoint(), FakeClock()
    push = pushing(endpoint, clock)
    for _ in range(2):
        clock.tick(60)
        assert await push.push()
    await push.aclose()
    first, second, last = endpoint.taken
    assert first.began_ns == second.began_ns == last.began_ns
    assert second.at_ns - first.at_ns == 60 * 10**9 == first.at_ns - first.began_ns


async def test_a_clock_that_is_set_back_ends_no_sum_before_it_began() -> None:
    endpoint, clock = Endpoint(), FakeClock()
    push = pushing(endpoint, clock)
    clock.jump(-86_400)
    await push.push()
    await push.aclose()
    assert endpoint.taken[0].at_ns == endpoint.taken[0].began_ns


async def test_an_outage_is_told_once_and_ends_with_the_next_push(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    endpoint = Endpoint(takes=False)
    push = pushing(endpoint, FakeClock())
    assert [await push.push() for _ in range(3)] == [False] * 3
    endpoint.takes = True
    assert await push.push()
    await push.aclose()
    assert actions(caplog) == ["metrics_not_taken", "metrics_taken"]
    assert len(endpoint.taken) == 2


async def test_an_endpoint_that_never_answers_keeps_nobody_and_is_asked_once() -> None:
    endpoint = Endpoint(hole=threading.Event())
    push = pushing(endpoint, FakeClock(), every_s=0.01, closing_s=0.05)
    running = asyncio.ensure_future(push.run())
    await eventually(lambda: endpoint.attempts == 1, within=30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(20):
        await push.aclose()
    assert endpoint.attempts == 1


async def test_pushes_go_on_and_one_more_tells_the_end() -> None:
    endpoint = Endpoint()
    push = pushing(endpoint, FakeClock(), every_s=0.01)
    running = asyncio.ensure_future(push.run())
    await eventually(lambda: len(endpoint.taken) >= 3, within=30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    before = len(endpoint.taken)
    await push.aclose()
    assert len(endpoint.taken) > before
