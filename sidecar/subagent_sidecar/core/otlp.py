"""OTLP over HTTP, as far as it can be spoken without the protocol's classes: its answers.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

import json
from enum import Enum


class Encoding(Enum):
    """How a request's body is written, and therefore the answer's."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class Unreadable(Exception):
    """A body that is not what it says it is. Sending it again would not help."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.too_large = too_large


def taken(encoding: Encoding, *, rejected: int, message: str) -> bytes:
    """An ExportTraceServiceResponse. A message without rejected spans is a warning."""
    if encoding is Encoding.JSON:
        partial = {"rejectedSpans": str(rejected), "errorMessage": message}
        return json.dumps({"partialSuccess": partial} if rejected or message else {}).encode()
    if not rejected and not message:
        return b""
    partial_success = (_number(1, rejected) if rejected else b"") + _text(2, message)
    return _field(1, 2) + _varint(len(partial_success)) + partial_success


def status(encoding: Encoding, *, code: int, message: str) -> bytes:
    """A google.rpc.Status."""
    if encoding is Encoding.JSON:
        return json.dumps({"code": code, "message": message}).encode()
    return _number(1, code) + _text(2, message)


def rpc_code(http_status: int) -> int:
    """The google.rpc.Code that says the same."""
    return _RPC_CODES.get(http_status, 13)


_RPC_CODES = {400: 3, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}


def _text(number: int, value: str) -> bytes:
    encoded = value.encode("utf-8", "replace")
    return _field(number, 2) + _varint(len(encoded)) + encoded


def _number(number: int, value: int) -> bytes:
    return _field(number, 0) + _varint(value)


def _field(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(found) + bytes([value])
