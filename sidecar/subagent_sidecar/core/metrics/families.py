"""One metric with its values, as it is told to whoever asks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .instruments import Instrument
from .meters import Histogram

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One of those that were counted: what it added, when (in Unix time), and in which trace it is
    found."""

    trace_id: str
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class Family:
    """`values` by the values of the instrument's labels, in their order. An info has 1 for each.
    `exemplars` are of a counter's value, at 0; or of a histogram's bucket, at its place."""

    instrument: Instrument
    values: Mapping[Labels, float] = field(default_factory=dict)
    histograms: Mapping[Labels, Histogram] = field(default_factory=dict)
    exemplars: Mapping[tuple[Labels, int], Exemplar] = field(default_factory=dict)


def plain(instrument: Instrument, value: float) -> Family:
    """Of a metric without labels."""
    return Family(instrument, {(): value})


def filled(
    instrument: Instrument,
    known: Iterable[Labels],
    values: Mapping[Labels, float],
    exemplars: Mapping[tuple[Labels, int], Exemplar] | None = None,
) -> Family:
    """With 0 for what is `known` and has no value."""
    return Family(instrument, {**dict.fromkeys(known, 0.0), **values}, exemplars=exemplars or {})
