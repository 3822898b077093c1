"""Errors as answers: the only place where one becomes the other.

The SDKs hand the calling model exactly one of `message`, `detail` and `error`, whichever they
look for first, so `message` and `detail` are the same plain sentence and `error` is the code.
"""

import json
import logging
from typing import Any
from uuid import uuid4

from ..core.matching import Scope
from ..core.policy import LimitKind
from ..core.prices import usd_text
from ..core.refusal import Refused
from ..core.verdict import KEY, RESERVABLE, Check
from ..errors import (
    AlreadyStarted,
    AmbiguousKey,
    AmbiguousSession,
    AmbiguousTask,
    KeyTooNarrow,
    OutOfSight,
    PolicyInvalid,
    SessionOver,
    SharedSession,
    SidecarError,
    TokenNeeded,
    Unauthenticated,
    UpstreamError,
    WebhookRefused,
)

_log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]

OURS = (b"x-subagent-sidecar", b"refused")
"""Marks a refusal: a 401 or 403 of the agent server's own does not have it."""

_REFUSALS = (Refused, OutOfSight, Unauthenticated, KeyTooNarrow, SharedSession, WebhookRefused)

_CHALLENGE = (b"www-authenticate", b'Bearer realm="subagent-sidecar"')
_OTHERS = frozenset({Scope.TREE, Scope.GLOBAL})
"""Scopes with no id for the caller: its tree was begun by somebody who may be a stranger."""
_NO_NUMBERS = frozenset({LimitKind.DENY.value, "frozen", KEY})


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
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode("ascii", "replace")),
    ]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after_s))).encode()))
    if isinstance(error, _REFUSALS):
        headers.append(OURS)
    if isinstance(error, TokenNeeded):
        headers.append((b"www-authenticate", error.challenge.encode()))
    if isinstance(error, Unauthenticated):
        headers.append(_CHALLENGE)
    return error.status, headers, json.dumps(_body(error, request_id)).encode()


def _body(error: SidecarError, request_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "error": error.code,
        "message": error.message,
        "detail": error.message,
        "code": error.code,
        "retry_after_s": error.retry_after_s,
        "request_id": request_id,
    }
    match error:
        case Refused():
            body |= _refused(error.deny.check)
        case AmbiguousTask() | AmbiguousKey():
            body["candidates"] = error.candidates
        case AmbiguousSession():
            body["candidates"] = [
                {"supervisor": supervisor, "session_id": session_id}
                for supervisor, session_id in error.candidates
            ]
        case SessionOver():
            body["ended_at"] = error.ended_at
        case AlreadyStarted():
            body |= {"task_id": error.task_id, "run_id": error.run_id}
        case PolicyInvalid():
            body["problems"] = error.problems
        case UpstreamError(task_id=str()):
            body["task_id"] = error.task_id
        case _:
            pass
    return body


def _refused(check: Check) -> dict[str, Any]:
    """Which rule refused, within what, and by which numbers."""
    numbers = check.what not in _NO_NUMBERS
    return {
        "rule": check.rule,
        "policy": check.policy,
        "scope": check.scope,
        "scope_id": None if check.scope in _OTHERS else check.scope_id,
        "limit": _amount(check.what, check.limit) if numbers else None,
        "current": _amount(check.what, check.current) if numbers else None,
        "reserved": _amount(check.what, check.held.amount) if check.what in RESERVABLE else None,
    }


def _amount(what: str, value: int) -> int | float | str:
    """USD as decimal text, as in the admin API; run time in seconds; all else is counted."""
    match what:
        case "micro_usd":
            return usd_text(value)
        case "run_time":
            return value / 1_000_000
        case _:
            return value
