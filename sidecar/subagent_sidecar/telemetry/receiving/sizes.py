"""Requests of a size that endpoints take."""

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_MOST = 2 * 1024 * 1024
"""Bytes. A gRPC server refuses messages over four MiB, unless it is told otherwise."""


def pieces(request: ExportTraceServiceRequest, most: int = _MOST) -> list[tuple[bytes, int]]:
    """The request, encoded, with the number of its spans; in several pieces where it is long. A
    span that is longer than that by itself stays as it is."""
    count = sum(len(scope.spans) for _, scope in _scopes(request))
    if not count:
        return []
    encoded = request.SerializeToString()
    if len(encoded) <= most:
        return [(encoded, count)]
    return [(piece.SerializeToString(), spans) for piece, spans in _split(request, most)]


def _split(
    request: ExportTraceServiceRequest, most: int
) -> Iterator[tuple[ExportTraceServiceRequest, int]]:
    for of_resource, of_scope in _scopes(request):
        some: list[Any] = []
        size = 0
        for span in of_scope.spans:
            length = span.ByteSize()
            if some and size + length > most:
                yield _with(of_resource, of_scope, some), len(some)
                some, size = [], 0
            some.append(span)
            size += length
        if some:
            yield _with(of_resource, of_scope, some), len(some)


def _with(of_resource: Any, of_scope: Any, spans: list[Any]) -> ExportTraceServiceRequest:
    piece = ExportTraceServiceRequest()
    resource = piece.resource_spans.add()
    resource.resource.CopyFrom(of_resource.resource)
    resource.schema_url = of_resource.schema_url
    scope = resource.scope_spans.add()
    scope.scope.CopyFrom(of_scope.scope)
    scope.schema_url = of_scope.schema_url
    scope.spans.extend(spans)
    return piece


def _scopes(request: ExportTraceServiceRequest) -> Iterator[tuple[Any, Any]]:
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            yield of_resource, of_scope
