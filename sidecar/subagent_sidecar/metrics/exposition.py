"""Families in Prometheus' formats, by prometheus_client: OpenMetrics where the scraper asks for it,
else its text format. Figures of the process itself (`process_...`) are that library's."""

from collections.abc import Iterator, Sequence
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
from prometheus_client.samples import Exemplar as Told
from prometheus_client.utils import floatToGoString

from ..core.metrics.families import Exemplar, Family, Labels
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
                exemplar = _exemplar(family.exemplars.get((values, 0)))
                counter.add_metric(values, number, exemplar=exemplar)
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
                histogram.add_metric(values, _buckets(family, values, counted), counted.sum)
            return histogram


_Bucket = tuple[str, float] | tuple[str, float, Told]


def _buckets(family: Family, labels: Labels, histogram: Histogram) -> list[_Bucket]:
    bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
    buckets: list[_Bucket] = []
    for place, (bound, count) in enumerate(zip(bounds, accumulate(histogram.counts), strict=True)):
        exemplar = _exemplar(family.exemplars.get((labels, place)))
        told = bound, float(count)
        buckets.append(told if exemplar is None else (*told, exemplar))
    return buckets


def _exemplar(exemplar: Exemplar | None) -> Told | None:
    """40 of the 128 characters that OpenMetrics allows."""
    if exemplar is None:
        return None
    return Told({"trace_id": exemplar.trace_id}, exemplar.value, exemplar.at)
