"""An OTLP/HTTP endpoint in threads of this process, which decodes what it is sent, and keeps it.
Of metrics it keeps the whole requests."""

import gzip
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class SinkSpan:
    """A span as it came off the wire; `parent` is empty where it is a root."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    links: Sequence[tuple[str, str]] = ()


@dataclass
class OtlpSink:
    """`status` is what it answers; while `silent` it answers nothing at all."""

    status: int = 200
    port: int = 0
    requests: int = 0
    spans: list[SinkSpan] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    pushes: list[ExportMetricsServiceRequest] = field(default_factory=list)
    _speak: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._speak.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def silence(self) -> None:
        self._speak.clear()

    def speak(self) -> None:
        self._speak.set()

    def named(self, name: str) -> list[SinkSpan]:
        return [span for span in self.spans if span.name == name]

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        self.requests += 1
        self._speak.wait()
        if path not in ("/v1/traces", "/v1/metrics"):
            return 404
        if self.status != 200:
            return self.status
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if path == "/v1/metrics":
            self.pushes.append(ExportMetricsServiceRequest.FromString(body))
            return 200
        self.headers.append(headers)
        self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        return 200

    @contextmanager
    def running(self) -> Iterator["OtlpSink"]:
        """On the port it had before, or a new one."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self.speak()
            server.shutdown()
            thread.join()
            server.server_close()


def broken_trees(spans: list[SinkSpan]) -> list[str]:
    """What is wrong with each trace: more than one root, or spans whose parent never came."""
    wrong = []
    ids = [(span.trace_id, span.span_id) for span in spans]
    wrong += [f"{trace}/{one} came twice" for trace, one in set(ids) if ids.count((trace, one)) > 1]
    for trace_id in {span.trace_id for span in spans}:
        mine = [span for span in spans if span.trace_id == trace_id]
        known = {span.span_id for span in mine} | {""}
        roots = [span.name for span in mine if not span.parent]
        wrong += [f"{trace_id} has {len(roots)} roots: {roots}"] if len(roots) != 1 else []
        wrong += [f"{span.name} lacks its parent" for span in mine if span.parent not in known]
    return wrong


def _spans(request: ExportTraceServiceRequest) -> Iterator[SinkSpan]:
    for resource_spans in request.resource_spans:
        resource = _values(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield SinkSpan(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    kind=span.kind,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    failed=span.status.code == 2,
                    attributes=_values(span.attributes),
                    resource=resource,
                    links=tuple((each.trace_id.hex(), each.span_id.hex()) for each in span.links),
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)


def _handler(sink: OtlpSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = sink.take(self.path, dict(self.headers), body)
            with suppress(OSError):  # whoever asked is gone
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    return Handler
