"""What is taken out of a request to be held, by trace."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Away:
    """Each trace gets copies of the resources and scopes that its spans stand under: `most` bytes
    of copies altogether. A request of one megabyte whose resource is most of it could make ten
    gigabytes else, with a trace for each of its spans. `traces` are so many at most: more would
    not wait, and each costs a message of its own."""

    def __init__(self, most: int, *, traces: int) -> None:
        self._most = most
        self._traces = traces
        self._copied = 0
        self._taken: dict[bytes, ExportTraceServiceRequest] = {}
        self._resource: Any = None
        self._scope: Any = None
        self._sizes = (0, 0)
        self._resources: dict[bytes, Any] = {}
        self._places: dict[bytes, Any] = {}

    @property
    def taken(self) -> Mapping[bytes, ExportTraceServiceRequest]:
        return self._taken

    def under(self, of_resource: Any, of_scope: Any) -> None:
        """What comes now stands there."""
        if of_resource is not self._resource:
            self._resource = of_resource
            self._resources = {}
        self._scope = of_scope
        self._places = {}
        self._sizes = (of_resource.resource.ByteSize(), of_scope.scope.ByteSize())

    def take(self, span: Any) -> bool:
        """False where there is no room for it."""
        trace_id = span.trace_id
        place = self._places.get(trace_id)
        if place is None:
            place = self._place(trace_id)
            if place is None:
                return False
            self._places[trace_id] = place
        place.append(span)
        return True

    def _place(self, trace_id: bytes) -> Any:
        """None where it would be too much."""
        added = self._resources.get(trace_id)
        of_resource, of_scope = self._sizes
        self._copied += of_scope if added is not None else of_resource + of_scope
        crowded = len(self._taken) >= self._traces and trace_id not in self._taken
        if self._copied > self._most or crowded:
            return None
        if added is None:
            taken = self._taken.setdefault(trace_id, ExportTraceServiceRequest())
            added = self._resources[trace_id] = taken.resource_spans.add()
            added.resource.CopyFrom(self._resource.resource)
            added.schema_url = self._resource.schema_url
        place = added.scope_spans.add()
        place.scope.CopyFrom(self._scope.scope)
        place.schema_url = self._scope.schema_url
        return place.spans
