"""What tools say, as both planes tell it."""

import json
from collections.abc import Mapping
from typing import Any

from ..errors import SidecarError
from ..tools import Answered, Told, ToolFailed
from . import problems
from .headers import Field

_JSON: Field = (b"content-type", b"application/json")
_PASSED_ON = frozenset({b"retry-after", b"x-subagent-sidecar", b"x-request-id"})
"""Of an answer that is a failure: what its caller may go by."""


def told_json(tool: str, told: Told) -> dict[str, Any]:
    found: dict[str, Any] = {"tool": tool, "text": told.text}
    if told.blocks:
        found["content"] = told.content
    return {**found, **(told.task or {})}


def failure(
    failed: ToolFailed, *, request_id: str | None
) -> tuple[int, list[Field], dict[str, Any]]:
    """(status, headers, body): the problem that there was, with the text for the model."""
    cause = failed.cause
    if isinstance(cause, SidecarError):
        status, fields, body = problems.problem(cause, request_id=request_id)
        return status, list(fields), {**json.loads(body), "text": failed.text}
    passed_on = [field for field in cause.headers if field[0].lower() in _PASSED_ON]
    told = {**_problem_of(cause, failed.text), "text": failed.text}
    return _status(cause), [_JSON, *passed_on], told


def _status(answered: Answered) -> int:
    """A good one whose body was no good is none."""
    return 502 if answered.status < 400 else answered.status


def _problem_of(answered: Answered, text: str) -> Mapping[str, Any]:
    """What the sidecar or the server said, as it said it; in our form where it said nothing."""
    if answered.status >= 400 and isinstance(answered.json, dict):
        return answered.json
    code = "upstream_refused"
    return {"error": code, "code": code, "message": text, "detail": text}
