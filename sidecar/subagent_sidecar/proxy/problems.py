"""Errors as answers: the only place where one becomes the other.

The SDKs hand the calling model exactly one of `message`, `detail` and `error`, whichever they
look for first, so `message` and `detail` are the same plain sentence and `error` is the code.
"""

import json
import logging
from typing import Any
from uuid import uuid4

from ..errors import AmbiguousTask, SidecarError, UpstreamError

_log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]


def problem(error: BaseException, *, request_id: str | None = None) -> tuple[int, Headers, bytes]:
    """(status, headers, body) that tell a client about `error`.

    An error that is not ours is logged in full and told only as its request id: its text may hold
    what the client must not see.
    """
    request_id = request_id or uuid4().hex
    if not isinstance(error, SidecarError):
        _log.error(
            "a request failed in the sidecar (request id %s)",
            request_id,
            exc_info=error,
            extra={"action": "internal_error", "request_id": request_id},
        )
        error = SidecarError(
            f"the sidecar failed on this request; its log has the cause (request id {request_id})"
        )
    body: dict[str, Any] = {
        "error": error.code,
        "message": error.message,
        "detail": error.message,
        "code": error.code,
        "retry_after_s": error.retry_after_s,
        "request_id": request_id,
    }
    if isinstance(error, AmbiguousTask):
        body["candidates"] = error.candidates
    if isinstance(error, UpstreamError) and error.task_id is not None:
        body["task_id"] = error.task_id
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode("ascii", "replace")),
    ]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after_s))).encode()))
    return error.status, headers, json.dumps(body).encode()
