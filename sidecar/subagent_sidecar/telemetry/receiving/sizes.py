"""Requests of a size that endpoints take."""

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_MOST = 2 * 1024 * 1024
"""Bytes. A gRPC server refuses messages over four MiB, unless it is told otherwise."""


_STEP = 50
"""Spans between two breaths: half a millisecond."""

Payload = tuple[bytes, int]
"""A request, encoded, with the number of its spans."""


def pieces(request: ExportTraceServiceRequest, most: int = _MOST) -> list[Payload]:
    """The request; in several pieces where it is long. A span that is longer than that by itself
    stays as it is."""
    payloads: list[Payload] = []
    for _ in packed(request, payloads, most):
        pass
    return payloads


def packed(
    request: ExportTraceServiceRequest, payloads: list[Payload], most: int = _MOST
) -> Iterator[None]:
    """The same by small steps, into `payloads`."""
    count = sum(len(scope.spans) for _, scope in _scopes(request))
    if not count:
        return
    encoded = request.SerializeToString()
    if len(encoded) <= most:
        payloads.append((encoded, count))
        return
    packer = _Packer()
    number = 0
    for of_resource, of_scope in _scopes(request):
        for span in of_scope.spans:
            if packer.count and packer.size + span.ByteSize() > most:
                payloads.append((packer.piece.SerializeToString(), packer.count))
                packer = _Packer()
            packer.add(of_resource, of_scope, span, most // 2)
            number += 1
            if number % _STEP == 0:
                yield
    payloads.append((packer.piece.SerializeToString(), packer.count))


class _Packer:
    """One piece. What its spans stand under is in it once for as long as it stays the same."""

    def __init__(self) -> None:
        self.piece = ExportTraceServiceRequest()
        self.size = self.count = 0
        self._of_resource: Any = None
        self._of_scope: Any = None
        self._resource: Any = None
        self._scope: Any = None

    def add(self, of_resource: Any, of_scope: Any, span: Any, most: int) -> None:
        """A resource or a scope counts for `most` bytes at most: a longer one would be copied into
        a piece for each span."""
        if of_resource is not self._of_resource:
            self._of_resource, self._of_scope = of_resource, None
            self._resource = self.piece.resource_spans.add()
            self._resource.resource.CopyFrom(of_resource.resource)
            self._resource.schema_url = of_resource.schema_url
            self.size += min(of_resource.resource.ByteSize(), most)
        if of_scope is not self._of_scope:
            self._of_scope = of_scope
            self._scope = self._resource.scope_spans.add()
            self._scope.scope.CopyFrom(of_scope.scope)
            self._scope.schema_url = of_scope.schema_url
            self.size += min(of_scope.scope.ByteSize(), most)
        self._scope.spans.append(span)
        self.size += span.ByteSize()
        self.count += 1


def _scopes(request: ExportTraceServiceRequest) -> Iterator[tuple[Any, Any]]:
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            yield of_resource, of_scope
