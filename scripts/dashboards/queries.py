"""PromQL, made of the instruments.

Sidecars that share a store all count the same of its tasks: of the record the largest figure of a
job's instances is taken, and summed after that. What a process knows of itself is just summed.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from scripts.dashboards.rules import ROOT

from subagent_sidecar.core.metrics.instruments import Instrument, Kind

RATE = "$__rate_interval"
RANGE = "$__range"

_PAGE = ROOT / "docs" / "reference" / "metrics.md"
_ROW = re.compile(r"^\| `(subagent_\w+)` \|.*\bOf the record \|$", re.MULTILINE)
_FILTERS = ("upstream", "agent")
"""The variables of the dashboards that are labels of metrics as well."""

Where = str | Sequence[str]


@cache
def of_the_record() -> frozenset[str]:
    """The metrics that all sidecars on one store tell alike, as their page says."""
    return frozenset(_ROW.findall(_PAGE.read_text("utf-8")))


def series(instrument: Instrument, /, **where: Where) -> str:
    """The selector of an instrument, with the dashboard's filters as far as it has the labels."""
    return _series(instrument, where)


def total(instrument: Instrument, /, *by: str, over: str = "", **where: Where) -> str:
    """A gauge added up; of a counter what it rose by, within `over`."""
    return _summed(instrument, by, f"increase({{}}[{over}])" if over else "{}", where)


def rate(instrument: Instrument, /, *by: str, over: str = RATE, **where: Where) -> str:
    """What a counter rises by in a second; a histogram, by how many observations."""
    return _summed(instrument, by, f"rate({{}}[{over}])", where)


def per_minute(instrument: Instrument, /, *by: str, **where: Where) -> str:
    return f"60 * {_summed(instrument, by, f'rate({{}}[{RATE}])', where)}"


def largest(instrument: Instrument, /, *by: str, **where: Where) -> str:
    """Of a gauge that is the age, or the state, of something."""
    return _folded("max", _known(instrument, by), _series(instrument, where))


def smallest(instrument: Instrument, /, *by: str, **where: Where) -> str:
    return _folded("min", _known(instrument, by), _series(instrument, where))


def quantile(q: float, instrument: Instrument, /, *by: str, over: str = RATE) -> str:
    """Of a histogram."""
    return f"histogram_quantile({q}, {buckets(instrument, *by, over=over)})"


def buckets(instrument: Instrument, /, *by: str, over: str = RATE, how: str = "rate") -> str:
    if instrument.kind is not Kind.HISTOGRAM:
        raise ValueError(f"{instrument.name} is no histogram")
    inner = f"{how}({_series(instrument, {}, '_bucket')}[{over}])"
    if instrument.name in of_the_record():
        inner = f"max by ({', '.join(('job', *instrument.labels, 'le'))}) ({inner})"
    return _folded("sum", (*_known(instrument, by), "le"), inner)


def or_zero(expression: str) -> str:
    """0 where there is nothing, so that a panel says so."""
    return f"{expression} or vector(0)"


def _series(instrument: Instrument, where: Mapping[str, Where], part: str = "") -> str:
    unknown = where.keys() - set(instrument.labels)
    if unknown:
        raise ValueError(f"{instrument.name} has no {unknown}")
    chosen = ["job", *(label for label in _FILTERS if label in instrument.labels)]
    matchers = [f'{label}=~"${label}"' for label in chosen]
    matchers += [_matcher(label, value) for label, value in where.items()]
    return f"{instrument.name}{part}{{{', '.join(matchers)}}}"


def _matcher(label: str, value: Where) -> str:
    if isinstance(value, str):
        return f'{label}="{value}"'
    return f'{label}=~"{"|".join(value)}"'


def _summed(instrument: Instrument, by: Sequence[str], how: str, where: Mapping[str, Where]) -> str:
    part = "_count" if instrument.kind is Kind.HISTOGRAM else ""
    inner = how.format(_series(instrument, where, part))
    if instrument.name in of_the_record():
        inner = f"max by ({', '.join(('job', *instrument.labels))}) ({inner})"
    return _folded("sum", _known(instrument, by), inner)


def _folded(how: str, by: Sequence[str], inner: str) -> str:
    return f"{how} by ({', '.join(by)}) ({inner})" if by else f"{how}({inner})"


def _known(instrument: Instrument, by: Sequence[str]) -> Sequence[str]:
    """`by`, all of which the instrument has."""
    unknown = set(by) - {*instrument.labels, "job", "instance"}
    if unknown:
        raise ValueError(f"{instrument.name} has no {unknown}")
    return by
