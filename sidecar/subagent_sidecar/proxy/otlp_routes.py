"""`POST /sidecar/otlp/v1/traces`: traces of others, by OTLP over HTTP.

Failures are told as OTLP has it: a google.rpc.Status in the encoding of the request. What emitters
may send again is answered 503 with Retry-After.
"""

from dataclasses import replace
from typing import Protocol

from aiohttp import web

from ..core.otlp import Encoding, Unreadable, rpc_code, status, taken
from ..core.principal import Principal
from ..errors import (
    BadTelemetry,
    BodyTooLarge,
    NoSuchRoute,
    SidecarError,
    UnknownEncoding,
)
from . import answering
from .headers import Field
from .incoming import Limits, read
from .request import DataRequest

PREFIX = "/sidecar/otlp"

_PATH = PREFIX + "/v1/traces"
_ENCODINGS = {each.value: each for each in Encoding}
_ZIPPED = {"gzip": True, "x-gzip": True, "identity": False, "": False}


class Received(Protocol):
    """`rejected` spans are lost, for the reason that `message` gives; else it is a warning."""

    @property
    def rejected(self) -> int: ...

    @property
    def message(self) -> str: ...


class Receiving(Protocol):
    """Who takes spans. `most` is how many bytes a request may have, unpacked."""

    @property
    def most(self) -> int: ...

    def turn_away_if_full(self) -> None:
        """Raises TelemetryFull."""

    async def receive(
        self, body: bytes, encoding: Encoding, *, zipped: bool, principal: Principal
    ) -> Received:
        """Raises Unreadable, TelemetryFull."""


class OtlpRoutes:
    """`receiving` is None where nothing is to be received."""

    def __init__(self, *, receiving: Receiving | None, limits: Limits) -> None:
        self._receiving = receiving
        most = 0 if receiving is None else receiving.most
        self._limits = replace(limits, max_body=most, inspect_limit=most)

    async def serve(self, request: DataRequest, raw_path: str) -> web.StreamResponse:
        """`raw_path` begins with PREFIX."""
        if raw_path != _PATH or request.method != "POST":
            raise NoSuchRoute(
                f"the sidecar has no {request.method} {raw_path[:200]}; of OTLP there is "
                f"POST {_PATH}"
            )
        encoding = _encoding(request)
        try:
            found = await self._receive(request, encoding)
        except SidecarError as error:
            return _failed(request, error, encoding)
        body = taken(encoding, rejected=found.rejected, message=found.message)
        return answering.send(request, 200, _declared(encoding), body)

    async def _receive(self, request: DataRequest, encoding: Encoding) -> Received:
        if self._receiving is None:
            raise NoSuchRoute("the sidecar takes no traces: it was told so (otlp_receive: off)")
        zipped = _zipped(request)
        self._receiving.turn_away_if_full()
        body = await self._whole(request)
        request.hold()  # what was taken in has to be accounted for, whoever leaves meanwhile
        try:
            found = await self._receiving.receive(
                body, encoding, zipped=zipped, principal=request.principal
            )
        except Unreadable as error:
            failure = BodyTooLarge if error.too_large else BadTelemetry
            raise failure(error.message) from error
        request.let_go()
        return found

    async def _whole(self, request: DataRequest) -> bytes:
        try:
            return (await read(request, self._limits, understand=True)).whole or b""
        except BodyTooLarge as error:
            raise BodyTooLarge(
                f"the body is longer than {self._limits.max_body} bytes (otlp_max_body)"
            ) from error


def _encoding(request: DataRequest) -> Encoding:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = _ENCODINGS.get(declared)
    if encoding is None:
        raise UnknownEncoding(
            f"OTLP comes as content-type {' or '.join(_ENCODINGS)}; this says {declared[:80]!r}"
        )
    return encoding


def _zipped(request: DataRequest) -> bool:
    declared = request.headers.get("content-encoding", "").strip().lower()
    zipped = _ZIPPED.get(declared)
    if zipped is None:
        raise UnknownEncoding(f"content-encoding {declared[:80]!r} is not known here; gzip is")
    return zipped


def _failed(request: DataRequest, error: SidecarError, encoding: Encoding) -> web.StreamResponse:
    fields = list(_declared(encoding))
    if error.retry_after_s is not None:
        fields.append((b"retry-after", b"%d" % max(1, round(error.retry_after_s))))
    body = status(encoding, code=rpc_code(error.status), message=error.message)
    # What is left of a body that was not read would be taken for the next request.
    return answering.send(request, error.status, fields, body, last=True)


def _declared(encoding: Encoding) -> list[Field]:
    return [(b"content-type", encoding.value.encode())]
