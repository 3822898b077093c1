"""Families in Prometheus' formats, by prometheus_client: OpenMetrics where the scraper asks for it,
else its text format. Figures of the process itself (`process_...`) are that library's."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ..core.metrics.families import Family
from ..core.metrics.instruments import Kind
from ..core.metrics.meters import Histogram

_PROCESS = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=_PROCESS)


def write(families: Sequence[Family], accept: str) -> tuple[bytes, str]:
    """The page, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(_Families(families)), content_type


class _Families(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from map(_metric, self._families)
        yield from _PROCESS.collect()


def _metric(family: Family) -> Metric:
    instrument = family.instrument
    name, help, labels = instrument.name, instrument.help, instrument.labels
    match instrument.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(name.removesuffix("_total"), help, labels=labels)
            for values, number in family.values.items():
                counter.add_metric(values, number)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(name, help, labels=labels)
            for values, number in family.values.items():
                gauge.add_metric(values, number)
            return gauge
        case Kind.INFO:
            info = InfoMetricFamily(name.removesuffix("_info"), help, labels=labels)
            for values in family.values:
                info.add_metric(values, {})
            return info
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(name, help, labels=labels)
            for values, counted in family.histograms.items():
                histogram.add_metric(values, list(_buckets(counted)), counted.sum)
            return histogram


def _buckets(histogram: Histogram) -> Iterable[tuple[str, float]]:
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    return zip(bounds, map(float, accumulate(histogram.counts)), strict=True)
