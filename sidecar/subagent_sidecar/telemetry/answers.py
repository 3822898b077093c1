"""What an OTLP endpoint may answer to the SDK's exporters over HTTP, however it misbehaves.

They read an answer of any length into memory, wait for as long as somebody sends a byte now and
then, and take a redirect, or the login page of whatever stands before the collector, for success:
half a gigabyte, an hour, and everything lost without a word, when tried.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

_LONGEST = 64 * 1024
_NO_ANSWER = 400
"""In the place of a status that the exporter would take for success. It does not try again."""


class WaryAdapter(HTTPAdapter):
    """Answers are cut off at a length and a deadline."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self._timeout_s = timeout_s

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        give_up = time.monotonic() + self._timeout_s
        answer = super().send(request, *args, **{**kwargs, "stream": True})
        try:
            body = _read(answer, give_up)
        finally:
            answer.close()
        answer._content = body
        answer._content_consumed = True  # as Response.content does
        if answer.status_code < 400 and not _is_an_answer(answer):
            answer.status_code = _NO_ANSWER
        return answer


def wary_session(adapter: WaryAdapter) -> Session | None:
    """None, for the exporter to make its own, where the environment names who gives credentials."""
    if has_provider(os.environ):
        return None
    session = Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def has_provider(environ: Mapping[str, str]) -> bool:
    """Whether the environment names who gives credentials, which the SDK alone knows to ask."""
    return any("CREDENTIAL_PROVIDER" in name for name in environ)


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
    kind = str(answer.headers.get("Content-Type", "")).lower()
    return 200 <= answer.status_code < 300 and "html" not in kind
