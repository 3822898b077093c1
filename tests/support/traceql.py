"""What a TraceQL query of ours finds among spans: no more of the language than the dashboards use,
and by its rules: a pattern is for the whole of a value, and what a span does not say matches
nothing."""

import re
from collections.abc import Callable, Iterable

from tests.support.otlp_sink import SinkSpan

Finds = Callable[[SinkSpan], bool]

_QUERY = re.compile(r"\{ (.*) \} \| select\((.*)\)")
_COMPARED = re.compile(r'(name|span\.[a-z_.]+) (=~|=) "(.*)"')


def columns(query: str) -> list[str]:
    """The attributes that are selected."""
    return [column.removeprefix("span.") for column in _read(query)[1].split(", ")]


def found(query: str, spans: Iterable[SinkSpan]) -> list[SinkSpan]:
    """Raises ValueError for what is beyond this reader."""
    conditions = [_condition(each) for each in _read(query)[0].split(" && ")]
    return [span for span in spans if all(holds(span) for holds in conditions)]


def _read(query: str) -> tuple[str, str]:
    whole = _QUERY.fullmatch(query)
    if whole is None:
        raise ValueError(f"no such query is known here: {query}")
    return whole[1], whole[2]


def _condition(text: str) -> Finds:
    if text == "status = error":
        return lambda span: span.failed
    compared = _COMPARED.fullmatch(text)
    if compared is None:
        raise ValueError(f"no such condition is known here: {text}")
    what, how, wanted = compared.groups()
    pattern = re.compile(wanted if how == "=~" else re.escape(wanted))

    def holds(span: SinkSpan) -> bool:
        value = span.name if what == "name" else span.attributes.get(what.removeprefix("span."))
        return isinstance(value, str) and pattern.fullmatch(value) is not None

    return holds
