"""Spans as the OpenTelemetry SDK has them, and its exporters. Loaded late: it takes a second."""

import logging
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

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
from .answers import WaryAdapter, wary_session
from .where import CONSOLE, GRPC, HTTP, Where

_SCOPE = InstrumentationScope("subagent_sidecar", __version__)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_CODE = re.compile(r"StatusCode\.([A-Z_]+)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class OtelSender:
    """telemetry.exporting.Sender over an exporter of the SDK."""

    def __init__(
        self, exporter: SpanExporter, resource: Resource, answers: WaryAdapter | None = None
    ) -> None:
        self._exporter = exporter
        self._resource = resource
        self._answers = answers
        self._words = _StatusCodes()
        logging.getLogger("opentelemetry").addHandler(self._words)

    @property
    def problem(self) -> str:
        return self._words.last if self._answers is None else self._answers.problem

    @property
    def rejected(self) -> int:
        return 0 if self._answers is None else self._answers.rejected

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


def sender(where: Where) -> OtelSender:
    """What exports to `where`; what it leaves open is as the standard variables have it."""
    if where.protocol != HTTP:
        return OtelSender(_EXPORTERS[where.protocol](where), resource())
    answers = WaryAdapter(where.timeout_s)
    session = wary_session(answers)
    exporter = HttpExporter(endpoint=where.url, timeout=where.timeout_s, session=session)
    return OtelSender(exporter, resource(), answers)


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


def _grpc(where: Where) -> SpanExporter:
    return GrpcExporter(endpoint=where.url, timeout=where.timeout_s)


def _console(where: Where) -> SpanExporter:
    return ConsoleSpanExporter(out=sys.stdout)


_EXPORTERS: dict[str, Callable[[Where], SpanExporter]] = {
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
        instrumentation_scope=_SCOPE,
        status=Status(StatusCode.UNSET)
        if span.error is None
        else Status(StatusCode.ERROR, span.error),
        start_time=_nanoseconds(span.start),
        end_time=_nanoseconds(span.end),
    )


def _context(trace_id: str, span_id: str, *, remote: bool) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=_SAMPLED)


def _nanoseconds(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // _MICROSECOND * 1_000
