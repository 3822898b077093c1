"""Where the spans of the record leave for. Loaded late: it takes a second.

To an OTLP endpoint they go as requests that are encoded and posted here, as those of others do. The
SDK's exporters are left what they alone can do: the console, and credentials by a provider.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from .. import __version__
from ..core.spans import Span
from .answers import has_provider
from .encoding import Encoder, nanoseconds
from .exporting import Sender
from .poster import Poster, Taken
from .posting import poster
from .where import CONSOLE, GRPC, HTTP, Where

SCOPE = InstrumentationScope("subagent_sidecar", __version__)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_CODE = re.compile(r"StatusCode\.([A-Z_]+)")


def sender(where: Where, environ: Mapping[str, str] = os.environ) -> Sender[Span]:
    """What exports to `where`; what it leaves open is as the standard variables have it."""
    if where.protocol == CONSOLE or has_provider(environ):
        return SdkSender(_EXPORTERS[where.protocol](where), resource())
    return PostingSender(poster(where, environ), Encoder(resource(), SCOPE))


class PostingSender:
    """telemetry.exporting.Sender over what posts requests."""

    def __init__(self, poster: Poster, encoder: Encoder) -> None:
        self._poster = poster
        self._encoder = encoder
        self.problem = ""
        self.rejected = 0

    def send(self, spans: Sequence[Span]) -> bool:
        """What is refused is not taken, either: whether that is for good is the tracer's to find
        out."""
        result = self._poster.post(self._encoder.request(spans))
        if isinstance(result, Taken):
            self.rejected += result.rejected
            return True
        self.problem = result.why
        return False

    def close(self) -> None:
        self._poster.close()


class SdkSender:
    """telemetry.exporting.Sender over an exporter of the SDK."""

    rejected = 0

    def __init__(self, exporter: SpanExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._resource = resource
        self._words = _StatusCodes()
        logging.getLogger("opentelemetry").addHandler(self._words)

    @property
    def problem(self) -> str:
        return self._words.last

    def send(self, spans: Sequence[Span]) -> bool:
        made = [readable(span, self._resource) for span in spans]
        return self._exporter.export(made) is SpanExportResult.SUCCESS

    def close(self) -> None:
        self._exporter.shutdown()


class _StatusCodes(logging.Handler):
    """Hears what the gRPC exporter has to say of its failures, and keeps the code alone."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if (found := _CODE.search(record.getMessage())) is not None:
            self.last = f"it answers {found[1]}"


def resource(**more: str) -> Resource:
    """Who tells: ourselves with what else is known (a dot for each underscore), and on top what the
    standard variables say."""
    # It would tell of every attempt; we tell of outages.
    logging.getLogger("opentelemetry").propagate = False
    known = {key.replace("_", "."): value for key, value in more.items()}
    ours = Resource.create(
        {SERVICE_NAME: "subagent-sidecar", SERVICE_VERSION: __version__, **known}
    )
    return ours.merge(OTELResourceDetector().detect())


def _http(where: Where) -> SpanExporter:
    return HttpExporter(endpoint=where.url, timeout=where.timeout_s)


def _grpc(where: Where) -> SpanExporter:
    return GrpcExporter(endpoint=where.url, timeout=where.timeout_s)


def _console(where: Where) -> SpanExporter:
    return ConsoleSpanExporter(out=sys.stdout)


_EXPORTERS: dict[str, Callable[[Where], SpanExporter]] = {
    HTTP: _http,
    GRPC: _grpc,
    CONSOLE: _console,
}


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """The span as the SDK's exporters take it, with the ids and times it has."""
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id, remote=False),
        parent=_context(span.trace_id, span.parent_id, remote=True) if span.parent_id else None,
        resource=resource,
        attributes=span.attributes,
        kind=SpanKind.CLIENT if span.calls else SpanKind.INTERNAL,
        instrumentation_scope=SCOPE,
        status=Status(StatusCode.UNSET)
        if span.error is None
        else Status(StatusCode.ERROR, span.error),
        start_time=nanoseconds(span.start),
        end_time=nanoseconds(span.end),
    )


def _context(trace_id: str, span_id: str, *, remote: bool) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=_SAMPLED)
