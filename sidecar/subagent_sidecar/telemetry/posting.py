"""Sending encoded requests to an OTLP endpoint: those with our own spans, and those of others.

The SDK's exporters take spans of the SDK's own, which costs more than all else there is to do for a
span, and know no resources and scopes of others; so this speaks the protocol itself, by the same
variables:
`OTEL_EXPORTER_OTLP_{TRACES_,}{ENDPOINT,HEADERS,COMPRESSION,CERTIFICATE,CLIENT_KEY,
CLIENT_CERTIFICATE,INSECURE}`. Loaded late: gRPC takes its time.
"""

import gzip
import http.client
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToJson  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.util.re import parse_env_headers
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from .. import __version__
from .poster import Later, Poster, Refused, Result, Taken
from .where import CONSOLE, GRPC, HTTP, Where

_PROTOBUF = "application/x-protobuf"
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_OF_THE_PAYLOAD = frozenset({400, 413, 422})
"""What is answered to a request that nobody could take. All else is about the endpoint, or whatever
stands before it: a key that is wrong today may be right tomorrow."""
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_LONGEST_ANSWER = 64 * 1024
_GRPC_OF_THE_PAYLOAD = frozenset(
    {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}
)
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "its name cannot be resolved"),
    (ConnectionRefusedError, "nothing listens there"),
    (ssl.SSLError, "TLS fails"),
    (TimeoutError, "it does not answer in time"),
    (ConnectionError, "it hangs up without an answer"),
)
"""What is said of an error. Their own words hold URLs and headers, which hold keys."""


class Variables:
    """The standard variables: those for traces go before those for all signals."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self, name: str) -> str:
        for prefix in ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"):
            if value := self._environ.get(prefix + name, "").strip():
                return value
        return ""

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name."""
        return dict(parse_env_headers(self("HEADERS"), liberal=True))

    @property
    def zipped(self) -> bool:
        return self("COMPRESSION").lower() == "gzip"

    @property
    def bundle(self) -> str:
        """Certificates to trust, as the SDK's exporters are told by the variables of requests."""
        return next((found for name in _BUNDLES if (found := self._environ.get(name, ""))), "")

    def endpoint(self, default: str) -> str:
        """For HTTP: the one for traces as it stands, the one for all signals with the path."""
        found = self._environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
        if found:
            return found
        base = self._environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip() or default
        return base.rstrip("/") + "/v1/traces"

    def read(self, name: str) -> bytes | None:
        """The file that a variable names."""
        path = self(name)
        return Path(path).read_bytes() if path else None


def poster(where: Where, environ: Mapping[str, str]) -> Poster:
    """What posts to `where`. Raises OSError, ValueError where the variables make no sense."""
    return _POSTERS[where.protocol](where, Variables(environ))


class HttpPoster:
    """One connection for each request: they are large, and few."""

    def __init__(self, where: Where, given: Variables) -> None:
        self._url = where.url or given.endpoint("http://localhost:4318")
        self._timeout_s = where.timeout_s
        self._zipped = given.zipped
        self._headers = {
            "user-agent": f"subagent-sidecar/{__version__}",
            **given.headers,
            "content-type": _PROTOBUF,
        }
        if self._zipped:
            self._headers["content-encoding"] = "gzip"
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=_tls(given)), _NoRedirects
        )

    def post(self, payload: bytes) -> Result:
        body = gzip.compress(payload, 5) if self._zipped else payload
        request = urllib.request.Request(self._url, data=body, headers=self._headers, method="POST")
        give_up = time.monotonic() + self._timeout_s
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return _taken(answer.headers.get_content_type(), _read(answer, give_up))
        except urllib.error.HTTPError as error:
            with error:
                return _not_taken(error.code, error.headers.get("Retry-After"))
        except http.client.HTTPException as error:  # before OSError: some are both
            return Later(_reason(error), None, reached=True)
        except OSError as error:
            return Later(_reason(error), None, reached=False)

    def close(self) -> None:
        """Nothing is kept open."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected would become a GET."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def _read(answer: http.client.HTTPResponse, give_up: float) -> bytes:
    """As much as matters, and for as long as it matters. One that breaks off has said with its
    head that the spans were taken: they are not to be sent again."""
    body = b""
    with suppress(http.client.HTTPException, OSError, ValueError):
        while len(body) < _LONGEST_ANSWER and time.monotonic() < give_up:
            piece = answer.read1(_LONGEST_ANSWER)
            if not piece:
                break
            body += piece
    return body


def _taken(kind: str, body: bytes) -> Result:
    """A page is the answer of whatever stands before the collector, and not of one."""
    if "html" in kind:
        return Later("it answers with a page, which no collector does", None, reached=True)
    return Taken(_rejected(body) if kind == _PROTOBUF else 0)


def _not_taken(status: int, retry_after: str | None) -> Result:
    if status in _OF_THE_PAYLOAD:
        return Refused(f"it answers {status}")
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return Later(f"it answers {status}", seconds, reached=True)


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return next((said for kind, said in _REASONS if isinstance(cause, kind)), "it is out of reach")


def _tls(given: Variables) -> ssl.SSLContext:
    """Where nobody names whom to trust, those that the machine trusts and, as small images have no
    such list, those that come along with requests."""
    named = given("CERTIFICATE") or given.bundle
    of_folder = bool(named) and Path(named).is_dir()
    context = ssl.create_default_context(
        cafile=None if of_folder else named or None, capath=named if of_folder else None
    )
    if not named:
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if certificate := given("CLIENT_CERTIFICATE"):
        context.load_cert_chain(certificate, given("CLIENT_KEY") or None)
    return context


class GrpcPoster:
    """The payloads are messages already, and go as they are."""

    def __init__(self, where: Where, given: Variables) -> None:
        url = where.url or given("ENDPOINT") or "http://localhost:4317"
        parts = urlsplit(url)
        compression = grpc.Compression.Gzip if given.zipped else grpc.Compression.NoCompression
        target = parts.netloc or url
        plain = parts.scheme == "http" or (
            parts.scheme != "https" and given("INSECURE").lower() == "true"
        )
        if plain:
            self._channel = grpc.insecure_channel(target, compression=compression)
        else:
            credentials = grpc.ssl_channel_credentials(
                root_certificates=given.read("CERTIFICATE"),
                private_key=given.read("CLIENT_KEY"),
                certificate_chain=given.read("CLIENT_CERTIFICATE"),
            )
            self._channel = grpc.secure_channel(target, credentials, compression=compression)
        self._export = self._channel.unary_unary(_EXPORT)
        self._metadata = tuple(given.headers.items())
        self._timeout_s = where.timeout_s

    def post(self, payload: bytes) -> Result:
        try:
            answer = self._export(payload, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            code = error.code()
            if code in _GRPC_OF_THE_PAYLOAD:
                return Refused(f"it answers {code.name}")
            reached = code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            return Later(f"it answers {code.name}", None, reached=reached)
        except ValueError:
            return Later("the channel is closed", None, reached=False)
        return Taken(_rejected(answer))

    def close(self) -> None:
        self._channel.close()


class ConsolePoster:
    """For trying out: one JSON object on stdout for each request."""

    def __init__(self, where: Where, given: Variables) -> None:
        pass

    def post(self, payload: bytes) -> Result:
        request = ExportTraceServiceRequest.FromString(payload)
        sys.stdout.write(MessageToJson(request, indent=None) + "\n")
        sys.stdout.flush()
        return Taken(0)

    def close(self) -> None:
        """Nothing is open."""


def _rejected(answer: bytes) -> int:
    """How many of the spans it says that it did not take. Answers that nobody understands say
    nothing."""
    try:
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return 0
    rejected: int = partial.rejected_spans
    return max(0, rejected)


_POSTERS: Mapping[str, Callable[[Where, Variables], Poster]] = {
    HTTP: HttpPoster,
    GRPC: GrpcPoster,
    CONSOLE: ConsolePoster,
}
