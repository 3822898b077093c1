"""What is kept of a span of others, for whoever draws the trace of its task."""

from typing import Any

from ...core.spans_seen import SeenSpan, short

_FAILED = 2
"""The status code of OTLP."""


class Service:
    """The name of a resource's service, read when somebody asks."""

    __slots__ = ("_name", "_resource")

    def __init__(self, resource: Any) -> None:
        self._resource = resource
        self._name: str | None = None

    @property
    def name(self) -> str:
        if self._name is None:
            named = (
                each.value.string_value
                for each in self._resource.attributes
                if each.key == "service.name"
            )
            self._name = short(next(named, ""))
        return self._name


def seen_span(span: Any, run_id: str | None, service: str) -> SeenSpan:
    """An OTLP span of a run, as it is sent on."""
    parent: bytes = span.parent_span_id
    status = span.status
    return SeenSpan(
        span.span_id.hex(),
        parent.hex() if parent else None,
        span.trace_id.hex(),
        run_id,
        short(span.name),
        service,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        short(status.message) if status.code == _FAILED else None,
    )
