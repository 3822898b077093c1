"""What an OTLP endpoint may answer over HTTP, however it misbehaves.

The SDK's exporter reads an answer of any length into memory, waits for as long as somebody sends a
byte now and then, and takes a redirect, or the login page of whatever stands before the collector,
for success: half a gigabyte, an hour, and every span lost without a word, when tried.
"""

import os
import time
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

_LONGEST = 64 * 1024
_PROTOBUF = "application/x-protobuf"
_NO_ANSWER = 400
"""In the place of a status that the exporter would take for success. It does not try again."""

_REASONS = (
    ("NameResolution", "its name cannot be resolved"),
    ("refused", "nothing listens there"),
    ("SSL", "TLS fails"),
    ("timed out", "it does not answer in time"),
)
"""What is found in an error, and what to say: errors hold URLs, which may hold keys."""


class WaryAdapter(HTTPAdapter):
    """Answers are cut off at a length and a deadline. `rejected`: how many spans the endpoint said
    that it did not take, of batches that it took. `problem`: what went wrong the last time."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self.rejected = 0
        self.problem = ""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        give_up = time.monotonic() + self._timeout_s
        try:
            answer = super().send(request, *args, **{**kwargs, "stream": True})
        except Exception as error:
            self.problem = reason(error)
            raise
        try:
            body = _read(answer, give_up)
        finally:
            answer.close()
        answer._content = body
        answer._content_consumed = True  # as Response.content does
        self.problem = f"it answers {answer.status_code}"
        if answer.status_code < 400 and not _is_an_answer(answer):
            self.problem += f" with {_type_of(answer) or 'a redirect'}, which no collector does"
            answer.status_code = _NO_ANSWER
        elif answer.status_code == 200 and _type_of(answer) == _PROTOBUF:
            self.rejected += _rejected(body)
        return answer


def wary_session(adapter: WaryAdapter) -> Session | None:
    """None, for the exporter to make its own, where the environment names who gives credentials."""
    if any("CREDENTIAL_PROVIDER" in name for name in os.environ):
        return None
    session = Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def reason(error: Exception) -> str:
    """Why nobody took anything, in words of ours."""
    text = repr(error)
    return next((said for sign, said in _REASONS if sign in text), "it cannot be reached")


def _read(answer: Response, give_up: float) -> bytes:
    """As much as matters; what comes late, or breaks off, does not."""
    body = b""
    try:
        while len(body) < _LONGEST and time.monotonic() < give_up:
            piece = answer.raw.read1(_LONGEST)
            if not piece:
                break
            body += piece
    except Exception:  # noqa: BLE001 - the head of the answer has said what there was to say
        return body
    return body


def _is_an_answer(answer: Response) -> bool:
    """Whether a collector would say so. Those that answer nothing, or JSON, mean well."""
    return 200 <= answer.status_code < 300 and "html" not in _type_of(answer)


def _type_of(answer: Response) -> str:
    kind = str(answer.headers.get("Content-Type", "")).lower().partition(";")[0]
    return "".join(char for char in kind if char.isprintable())[:40].strip()


def _rejected(body: bytes) -> int:
    try:
        rejected: int = ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans
    except DecodeError:
        return 0
    return max(rejected, 0)
