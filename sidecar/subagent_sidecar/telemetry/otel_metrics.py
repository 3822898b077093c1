"""Metric families as the OpenTelemetry SDK's exporters take them. Loaded late: it takes a second.

Sums are cumulative, from when this process began to count: that is what they are on `/metrics`, and
what a collector needs to tell a restart from a loss. The SDK's own meters are not used: everything
is counted already.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcExporter,
)
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpExporter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .. import __version__
from ..core.metrics import meters
from ..core.metrics.families import Family, Labels
from ..core.metrics.instruments import Kind
from .answers import WaryAdapter, wary_session
from .otel import resource
from .push import Reading
from .where import CONSOLE, GRPC, HTTP, Where

_SCOPE = InstrumentationScope("subagent_sidecar", __version__)
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class OtelMetricsSender:
    """telemetry.exporting.Sender over an exporter of the SDK."""

    problem, rejected = "", 0

    def __init__(self, exporter: MetricExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._resource = resource

    def send(self, readings: Sequence[Reading]) -> bool:
        """All of them, though there is never more than one to a call."""
        return all(
            self._exporter.export(data(reading, self._resource)) is MetricExportResult.SUCCESS
            for reading in readings
        )

    def close(self) -> None:
        self._exporter.shutdown()


def sender(where: Where, instance: str) -> OtelMetricsSender:
    """What exports to `where`. `instance` tells this sidecar from others of its host."""
    return OtelMetricsSender(
        _EXPORTERS[where.protocol](where), resource(service_instance_id=instance)
    )


def _http(where: Where) -> MetricExporter:
    session = wary_session(WaryAdapter(where.timeout_s))
    return HttpExporter(endpoint=where.url, timeout=where.timeout_s, session=session)


def _grpc(where: Where) -> MetricExporter:
    return GrpcExporter(endpoint=where.url, timeout=where.timeout_s)


def _console(where: Where) -> MetricExporter:
    return ConsoleMetricExporter(out=sys.stdout)


_EXPORTERS: dict[str, Callable[[Where], MetricExporter]] = {
    HTTP: _http,
    GRPC: _grpc,
    CONSOLE: _console,
}


def data(reading: Reading, resource: Resource) -> MetricsData:
    """One reading of all metrics."""
    metrics = [_metric(family, reading) for family in reading.families]
    scope = ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource, [scope], schema_url="")])


def _metric(family: Family, reading: Reading) -> Metric:
    instrument = family.instrument
    told: Sum | Gauge | Histogram
    match instrument.kind:
        case Kind.COUNTER:
            told = Sum(list(_numbers(family, reading)), _CUMULATIVE, is_monotonic=True)
        case Kind.GAUGE | Kind.INFO:
            told = Gauge(list(_numbers(family, reading)))
        case Kind.HISTOGRAM:
            told = Histogram(list(_histograms(family, reading)), _CUMULATIVE)
    unit = "s" if instrument.name.endswith("_seconds") else ""
    return Metric(instrument.name, instrument.help, unit, told)


def _numbers(family: Family, reading: Reading) -> Iterator[NumberDataPoint]:
    for labels, value in family.values.items():
        yield NumberDataPoint(
            attributes=_attributes(family, labels),
            start_time_unix_nano=reading.began_ns,
            time_unix_nano=reading.at_ns,
            value=value,
        )


def _histograms(family: Family, reading: Reading) -> Iterator[HistogramDataPoint]:
    for labels, counted in family.histograms.items():
        yield _histogram(_attributes(family, labels), counted, reading)


def _histogram(
    attributes: dict[str, str], counted: meters.Histogram, reading: Reading
) -> HistogramDataPoint:
    nobody_knows: Any = None  # nor asks: both are optional on the wire
    return HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=reading.began_ns,
        time_unix_nano=reading.at_ns,
        count=sum(counted.counts),
        sum=counted.sum,
        bucket_counts=counted.counts,
        explicit_bounds=[float(bound) for bound in counted.bounds],
        min=nobody_knows,
        max=nobody_knows,
    )


def _attributes(family: Family, labels: Labels) -> dict[str, str]:
    return dict(zip(family.instrument.labels, labels, strict=True))
