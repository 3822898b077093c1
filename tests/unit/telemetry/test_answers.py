"""What an OTLP endpoint may answer, and what is made of it. Row 12."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from tests.support.ports import free_port
from tests.unit.telemetry.test_otel import SPAN

from subagent_sidecar.core.spans import Span
from subagent_sidecar.telemetry import Reading, Sender, Where, otel, otel_metrics

Answer = Callable[[BaseHTTPRequestHandler], None]
PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=7, error_message="no")
).SerializeToString()
LONG_S, SHORT_S = 20.0, 1.0
"""For what is answered at once; and for what is never answered, or not to its end."""


@contextmanager
def endpoint(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # whoever asked has heard enough

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(status: int, kind: str = "", body: bytes = b"", more: str = "") -> Answer:
    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        if kind:
            to.send_header("Content-Type", kind)
        if more:
            to.send_header(*more.split(": "))
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)

    return answer


def sent(url: str, timeout_s: float = LONG_S) -> tuple[bool, Sender[Span]]:
    sender = otel.sender(Where(protocol="http/protobuf", url=url, timeout_s=timeout_s))
    try:
        return sender.send([SPAN]), sender
    finally:
        sender.close()


PROTOBUF = "application/x-protobuf"
# (what is answered, whether that is success, what is said of it, spans it did not take)
ANSWERS: dict[str, tuple[Answer, bool, str, int]] = {
    "nothing": (says(200), True, "", 0),
    "json": (says(200, "application/json", b"{}"), True, "", 0),
    "protobuf": (says(200, PROTOBUF, b""), True, "", 0),
    "partial success": (says(200, PROTOBUF, PARTIAL), True, "", 7),
    "garbage": (says(200, PROTOBUF, b"\xff\xff"), True, "", 0),
    "a login page": (
        says(200, "text/html; charset=utf-8", b"<html>"),
        False,
        "it answers with a page",
        0,
    ),
    "a redirect": (
        says(302, more="Location: http://127.0.0.1:1/"),
        False,
        "it answers 302",
        0,
    ),
    "400": (says(400), False, "it answers 400", 0),
    "401": (says(401), False, "it answers 401", 0),
    "429": (says(429, more="Retry-After: 3600"), False, "it answers 429", 0),
    "500": (says(500), False, "it answers 500", 0),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_is_taken_for_what_it_is(case: str) -> None:
    answer, taken, said, rejected = ANSWERS[case]
    with endpoint(answer) as url:
        found, sender = sent(url)
    assert (found, sender.rejected) == (taken, rejected)
    assert said in sender.problem


@pytest.mark.parametrize("case", ANSWERS)
def test_so_is_that_to_metrics_which_the_sdk_sends(case: str) -> None:
    answer, taken, _, _ = ANSWERS[case]
    with endpoint(answer) as url:
        where = Where(protocol="http/protobuf", url=url, timeout_s=SHORT_S)
        sender = otel_metrics.sender(where, "box:1")
        found = sender.send([Reading((), 1, 2)])
        sender.close()
    assert found == taken


def test_an_answer_that_breaks_off_has_said_that_it_was_taken() -> None:
    def breaks_off(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Transfer-Encoding", "chunked")
        to.end_headers()
        to.wfile.write(b"ff\r\nonly this")
        to.close_connection = True

    with endpoint(breaks_off) as url:
        assert sent(url)[0]


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    written = 0

    def endless(to: BaseHTTPRequestHandler) -> None:
        nonlocal written
        to.send_response(200)
        to.end_headers()
        to.close_connection = True
        for _ in range(1_000):
            written += to.wfile.write(b"x" * 100_000)

    with endpoint(endless) as url:
        taken, _ = sent(url)
    assert taken and written < 50_000_000


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for() -> None:
    over = threading.Event()

    def drips(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Length", "100000")
        to.end_headers()
        while not over.wait(0.05):
            to.wfile.write(b"x")

    with endpoint(drips) as url:
        try:
            assert sent(url, 3 * SHORT_S)[0]
        finally:
            over.set()


def test_why_nobody_takes_anything_is_said_without_the_url() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/traces?key=secret"
    taken, sender = sent(url, SHORT_S)
    assert (taken, sender.problem) == (False, "nothing listens there")
    with endpoint(says(200)) as plain:
        taken, sender = sent(plain.replace("http:", "https:"), SHORT_S)
    assert (taken, sender.problem) == (False, "TLS fails")
