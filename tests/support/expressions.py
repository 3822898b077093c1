"""What a PromQL expression asks for."""

from collections.abc import Iterator
from typing import Any

import promql_parser as promql

from subagent_sidecar.core.metrics.instruments import ALL, Kind

SAMPLES = {
    each.name + end: set(each.labels)
    for each in ALL
    for end in (("_bucket", "_sum", "_count") if each.kind is Kind.HISTOGRAM else ("",))
}
"""The labels of every series there is."""

OF_PROMETHEUS = {"job", "instance", "le"}
_INSIDE = ("expr", "lhs", "rhs", "vector_selector", "param")


def parts(expression: str) -> list[Any]:
    """An expression and all that it is made of. Raises ValueError where it is none."""
    return list(_parts(promql.parse(expression)))


def _parts(node: Any) -> Iterator[Any]:
    yield node
    inside = [getattr(node, name, None) for name in _INSIDE]
    for each in [*inside, *getattr(node, "args", ())]:
        if isinstance(each, promql.Expr):
            yield from _parts(each)


def selectors(expression: str) -> list[Any]:
    """The series it asks for."""
    return [each for each in parts(expression) if isinstance(each, promql.VectorSelector)]


def matched(selector: Any) -> set[str]:
    """The labels a selector is about."""
    return {matcher.name for matcher in selector.matchers.matchers}


def grouped(expression: str) -> set[str]:
    """The labels that are left when it has been added up."""
    return {
        label
        for each in parts(expression)
        if isinstance(each, promql.AggregateExpr) and each.modifier is not None
        for label in each.modifier.labels
    }
