"""A request as it came over HTTP, as a message of the protocol. Loaded late.

OTLP's JSON is protobuf's own with one difference: the ids are hexadecimal, not base64. Unknown
fields are to be ignored, and 64 bit numbers may come as text or as numbers.
"""

import base64
import json
import zlib
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ...core.otlp import Unreadable

_GZIP = zlib.MAX_WBITS | 16
_MEMBERS = 64
"""A gzip body may be several in a row; each of them costs a copy of what follows."""
_IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def unpacked(body: bytes, most: int) -> bytes:
    """What a gzip body holds, at most so many bytes: a small one may hold gigabytes. Raises
    Unreadable."""
    found: list[bytes] = []
    left, rest = most, body
    while rest:
        if len(found) == _MEMBERS:
            raise Unreadable(f"the body is more than {_MEMBERS} gzip bodies in a row")
        stream = zlib.decompressobj(_GZIP)
        try:
            part = stream.decompress(rest, left + 1)
        except zlib.error as error:
            raise Unreadable("the body is not gzip") from error
        if len(part) > left:
            raise Unreadable(f"the body has more than {most} bytes unpacked", too_large=True)
        if not stream.eof:
            raise Unreadable("the gzip body ends too early")
        found.append(part)
        left -= len(part)
        rest = stream.unused_data
    return b"".join(found)


def from_protobuf(body: bytes) -> ExportTraceServiceRequest:
    """Raises Unreadable."""
    try:
        request: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise Unreadable("the body is not an ExportTraceServiceRequest in protobuf") from error
    return request


_UNREADABLE = (
    *(ValueError, TypeError, AttributeError, RecursionError, OverflowError, json_format.Error),
    SystemError,  # what protobuf makes of half a surrogate in the name of a field
)


def from_json(body: bytes) -> ExportTraceServiceRequest:
    """Raises Unreadable."""
    try:
        told = json.loads(body)
        if not isinstance(told, dict):
            raise ValueError("it is no object")
        for span in _spans(told):
            _with_base64(span)
            for link in _objects(span.get("links")):
                _with_base64(link)
        request = ExportTraceServiceRequest()
        json_format.ParseDict(told, request, ignore_unknown_fields=True)
    except _UNREADABLE as error:
        raise Unreadable("the body is not an ExportTraceServiceRequest in JSON") from error
    return request


def _spans(told: dict[str, Any]) -> Any:
    for of_resource in _objects(_either(told, "resourceSpans", "resource_spans")):
        for of_scope in _objects(_either(of_resource, "scopeSpans", "scope_spans")):
            yield from _objects(of_scope.get("spans"))


def _either(told: dict[str, Any], name: str, other: str) -> Any:
    return told[name] if name in told else told.get(other)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _with_base64(told: dict[str, Any]) -> None:
    """An id that is not hexadecimal is empty then, and its span is rejected for that."""
    for name in _IDS:
        value = told.get(name)
        if isinstance(value, str):
            told[name] = base64.b64encode(_bytes(value)).decode()


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if text.isalnum() else b""
    except ValueError:
        return b""
