"""Requests of others on their way to an endpoint, by HTTP, by gRPC, and to the console."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from tests.support import otlp_grpc
from tests.support.certificates import Pki
from tests.support.otlp_request import A, Emitted, request
from tests.support.otlp_sink import OtlpSink
from tests.support.ports import free_port

from subagent_sidecar.telemetry import Where
from subagent_sidecar.telemetry.poster import Later, Refused, Taken
from subagent_sidecar.telemetry.posting import HttpPoster, Variables, poster

PAYLOAD = request(Emitted(id=1, name="one")).SerializeToString()


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink().running() as running:
        yield running


def posted(url: str | None, *, protocol: str = "http/protobuf", **environ: str) -> Any:
    made = poster(Where(protocol=protocol, url=url, timeout_s=10), environ)
    try:
        return made.post(PAYLOAD)
    finally:
        made.close()


def test_by_http_with_the_headers_and_the_compression_of_the_variables(sink: OtlpSink) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=no,x-other=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=s%20ecret",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    assert posted(f"{sink.url}/v1/traces", **variables) == Taken(0)
    (headers,) = sink.headers
    found = {name.lower(): value for name, value in headers.items()}
    assert (found["api-key"], found["content-encoding"]) == ("s ecret", "gzip")
    assert "x-other" not in found
    assert [(span.name, span.trace_id) for span in sink.spans] == [("one", A.hex())]


def test_a_request_can_be_several_in_a_row(sink: OtlpSink) -> None:
    made = HttpPoster(Where(protocol="http/protobuf", url=f"{sink.url}/v1/traces"), Variables({}))
    assert made.post(PAYLOAD + PAYLOAD) == Taken(0)
    assert made.post(b"") == Taken(0)
    assert len(sink.spans) == 2


def test_the_endpoint_of_the_variables_is_taken_where_there_is_no_other(sink: OtlpSink) -> None:
    assert posted(None, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url + "/") == Taken(0)
    assert posted(None, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{sink.url}/elsewhere") == Later(
        "it answers 404", None, reached=True
    )


@pytest.mark.parametrize("status", [301, 401, 403, 408, 429, 500, 502, 503, 504])
def test_what_is_about_the_endpoint_may_be_sent_again(sink: OtlpSink, status: int) -> None:
    sink.status = status
    found = posted(f"{sink.url}/v1/traces")
    assert found == Later(f"it answers {status}", None, reached=True)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_about_the_request_may_not(sink: OtlpSink, status: int) -> None:
    sink.status = status
    assert posted(f"{sink.url}/v1/traces") == Refused(f"it answers {status}")


@contextmanager
def answering(
    *pieces: bytes, pause_s: float = 0.0, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """The URL of one that answers whoever connects with these, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve() -> None:
            with suppress(OSError), _secured(server.accept()[0], tls) as client:
                client.recv(65_536)
                for piece in pieces:
                    client.sendall(piece)
                    over.wait(pause_s)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):  # a close with something unread would be a reset
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{server.getsockname()[1]}/v1/traces"
        over.set()
        thread.join()


def _secured(client: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    return client if tls is None else tls.wrap_socket(client, server_side=True)


TAKEN = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_CERTIFICATE", "REQUESTS_CA_BUNDLE"])
def test_whom_to_trust_is_the_variables_to_say(name: str, tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    with answering(TAKEN, tls=pki.serving("127.0.0.1")) as url:
        assert posted(url, **{name: str(pki.ca)}) == Taken(0)
    with answering(TAKEN, tls=pki.serving("127.0.0.1")) as url:
        assert posted(url) == Later("TLS fails", None, reached=False)


def test_a_certificate_of_ours_is_shown(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    ours = pki.pair("sidecar")
    variables = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(pki.ca),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(ours.cert),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(ours.key),
    }
    with answering(TAKEN, tls=pki.serving("127.0.0.1", clients_of=pki)) as url:
        assert posted(url, **variables) == Taken(0)


def test_a_login_page_is_not_taken_for_success() -> None:
    with answering(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>") as url:
        assert posted(url) == Later(
            "it answers with a page, which no collector does", None, reached=True
        )


def test_an_answer_that_never_ends_is_read_for_so_long_and_no_longer() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n"
    with answering(head, *[b"\n"] * 1_000, pause_s=0.02) as url:
        made = HttpPoster(Where(protocol="http/protobuf", url=url, timeout_s=0.2), Variables({}))
        assert made.post(PAYLOAD) == Taken(0)


def test_one_that_hangs_up_was_reached() -> None:
    with answering() as url:
        assert posted(url) == Later("it hangs up without an answer", None, reached=True)


def test_what_is_said_of_a_failure_holds_no_key(sink: OtlpSink) -> None:
    """failures.md row 24"""
    with pytest.raises(ValueError, match="Invalid header"):  # of which the relay tells the kind
        posted(sink.url, OTEL_EXPORTER_OTLP_HEADERS="api-key=se%0Acret")
    refused = posted(f"http://user:secret@127.0.0.1:{free_port()}/v1/traces")
    assert "secret" not in repr(refused)


def test_nobody_there_is_later() -> None:
    for protocol in ("http/protobuf", "grpc"):
        found = posted(f"http://127.0.0.1:{free_port()}", protocol=protocol)
        assert isinstance(found, Later)
        assert not found.reached


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes one span less than it gets, unless it is to fail."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: dict[str, str] = {}
        self.failing: grpc.StatusCode | None = None

    def Export(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        self.metadata = dict(context.invocation_metadata())
        if self.failing is not None:
            context.abort(self.failing, "no")
        answer = trace_service_pb2.ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 1
        return answer


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    found = Collector()
    with otlp_grpc.serving(found, trace_service_pb2_grpc.add_TraceServiceServicer_to_server) as url:
        yield found, url


def test_by_grpc(collector: tuple[Collector, str]) -> None:
    seen, url = collector
    assert posted(url, protocol="grpc", OTEL_EXPORTER_OTLP_HEADERS="api-key=k") == Taken(1)
    (made,) = seen.requests
    assert made.SerializeToString() == PAYLOAD
    assert seen.metadata["api-key"] == "k"
    bare = url.removeprefix("http://")
    assert posted(bare, protocol="grpc", OTEL_EXPORTER_OTLP_INSECURE="true") == Taken(1)


def test_by_grpc_what_may_be_sent_again_and_what_may_not(collector: tuple[Collector, str]) -> None:
    seen, url = collector
    seen.failing = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert posted(url, protocol="grpc") == Later(
        "it answers RESOURCE_EXHAUSTED", None, reached=True
    )
    seen.failing = grpc.StatusCode.INVALID_ARGUMENT
    assert posted(url, protocol="grpc") == Refused("it answers INVALID_ARGUMENT")


def test_on_the_console_each_request_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert posted(None, protocol="console") == Taken(0)
    (line,) = capsys.readouterr().out.splitlines()
    (told,) = json.loads(line)["resourceSpans"]
    assert told["scopeSpans"][0]["spans"][0]["name"] == "one"


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_CERTIFICATE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_that_is_not_there_is_said_so(name: str) -> None:
    with pytest.raises(OSError, match=r"[Nn]o such file"):
        posted("https://localhost:1", **{name: "/nowhere.pem"})
