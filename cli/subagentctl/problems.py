"""What an answer that is not a good one means for the operator, in one sentence.

| answer                                   | error       | exit |
|------------------------------------------|-------------|------|
| nothing                                  | Unreachable | 3    |
| not JSON, not ours, a redirect           | Unreachable | 3    |
| ours, but about upstreams (data plane)   | Unreachable | 3    |
| of a tool, 404                           | NotFound    | 4    |
| of a tool, anything else                 | Failed      | 1    |
| ours, 404                                | NotFound    | 4    |
| ours, 400 `not_a_name`                   | Misused     | 2    |
| 401, 403, from whomever                  | Denied      | 1    |
| ours, 409 `ambiguous_task`, `_key`       | Failed      | 1    |
| ours, 422 `policy_invalid`               | Invalid     | 64   |
| ours, anything else                      | Failed      | 1    |
"""

from collections.abc import Mapping
from typing import Any

from subagentctl.errors import CliError, Denied, Failed, Invalid, Misused, NotFound, Unreachable
from subagentctl.server import Server

_SHOWN_CANDIDATES = 5
_NOT_RELOADED = "nothing was reloaded: what was in force stays in force."
_DATA_PLANE_CODES = (
    "ambiguous_upstream",
    "upstream_error",
    "upstream_unreachable",
    "upstream_broken",
    "upstream_timeout",
)


def unreachable(server: Server, cause: str) -> Unreachable:
    """Nothing answers; `cause` says why as far as is known."""
    return Unreachable(
        f"no sidecar answers at {server} ({cause}). "
        "Start one with `subagent-sidecar serve`, or set --server."
    )


def not_trusted(server: Server, why: str) -> Unreachable:
    """Something answers whose certificate is not the one of a sidecar we know."""
    return Unreachable(
        f"what answers at {server} has a certificate that is not trusted ({why.rstrip('.')}). "
        "Name the authority that signed it with --ca or SUBAGENTCTL_CA."
    )


def not_a_sidecar(server: Server, what: str) -> Unreachable:
    """Something answers that does not speak like the admin plane; `what` is what it did."""
    return Unreachable(
        f"what answers at {server} is not a sidecar's admin plane ({what}). "
        "Point --server at the address of --admin-listen, 127.0.0.1:8461 by default."
    )


def refusal(
    server: Server,
    *,
    status: int,
    content_type: str,
    location: str,
    payload: Mapping[str, Any] | None,
    token_sent: bool = False,
) -> CliError:
    """The error for an answer other than a 200 with a JSON object (see the table above)."""
    if payload is not None and isinstance(payload.get("text"), str):
        return _of_tool(status, payload["text"])
    problem = payload if _is_ours(payload) else None
    if status in (401, 403):
        return _denied(server, problem, token_sent=token_sent)
    if problem is None:
        return not_a_sidecar(server, _description(status, content_type, location))
    return _from_problem(server, status, problem)


def _denied(server: Server, problem: Mapping[str, Any] | None, *, token_sent: bool) -> Denied:
    """What the sidecar itself says of tokens is for programs, but for the roles."""
    code = "" if problem is None else problem["error"]
    if problem is not None and code == "role_needed":
        return Denied(f"{server} refused: {_sentence(problem)}.")
    said = f" ({_sentence(problem)})" if problem is not None and code != "token_needed" else ""
    if token_sent:
        return Denied(
            f"{server} does not accept this token{said}. Put another one into SUBAGENTCTL_TOKEN "
            "or the file of --token-file."
        )
    return Denied(
        f"{server} asks for a token{said}. Set SUBAGENTCTL_TOKEN, or name a file that holds one "
        "with --token-file."
    )


def _of_tool(status: int, text: str) -> CliError:
    """A tool did not do it, and has words for that."""
    return NotFound(text) if status == 404 else Failed(text)


def _from_problem(server: Server, status: int, problem: Mapping[str, Any]) -> CliError:
    message = _sentence(problem)
    code = problem["error"]
    if code in _DATA_PLANE_CODES or (code == "no_such_upstream" and _is_prefixed(server)):
        return not_a_sidecar(server, f"it passes requests on to agent servers: {message}")
    if code == "not_a_name":
        return Misused(f"{message}.")
    if status == 404:
        return NotFound(f"{message}.")
    if code == "policy_invalid":
        return Invalid(_problems(problem) or [message], then=_NOT_RELOADED)
    if code == "ambiguous_task":
        return Failed(f"{message}{_candidates(problem)}. Give more of the id.")
    if code == "ambiguous_key":
        return Failed(f"{message}: --all.")
    if code == "ambiguous_session":
        return Failed(f"{message}{_candidates(problem)}.")
    return Failed(f"{server} refused: {message} (HTTP {status} {code}{_trail(problem)}).")


def _is_prefixed(server: Server) -> bool:
    """Whether the address goes through the data plane to an agent server, as in `/to/NAME`."""
    return server.base.startswith("/to/")


def _is_ours(payload: Mapping[str, Any] | None) -> bool:
    """Whether the body has the shape of the sidecar's errors; agent servers have other ones."""
    return payload is not None and all(
        isinstance(payload.get(key), str) and payload[key] for key in ("error", "message")
    )


def _sentence(problem: Mapping[str, Any]) -> str:
    """The message without the full stop, so that it can be built upon."""
    return str(problem["message"]).strip().rstrip(".")


def _problems(problem: Mapping[str, Any]) -> list[str]:
    problems = problem.get("problems")
    return [str(each) for each in problems] if isinstance(problems, list) else []


def _candidates(problem: Mapping[str, Any]) -> str:
    candidates = problem.get("candidates")
    if not isinstance(candidates, list) or not candidates:
        return ""
    shown = ", ".join(_candidate(each) for each in candidates[:_SHOWN_CANDIDATES])
    more = len(candidates) - _SHOWN_CANDIDATES
    return f": {shown}" + (f" and {more} more" if more > 0 else "")


def _candidate(candidate: object) -> str:
    """An id; of a session its supervisor as well."""
    if isinstance(candidate, dict):
        return f"{candidate.get('session_id')} of {candidate.get('supervisor')}"
    return str(candidate)


def _trail(problem: Mapping[str, Any]) -> str:
    """What helps next: how long to wait, and the id to look for in the sidecar's log."""
    wait, request = problem.get("retry_after_s"), problem.get("request_id")
    return (f", try again in {wait:g} s" if isinstance(wait, int | float) else "") + (
        f", request {request}" if isinstance(request, str) and request else ""
    )


def _description(status: int, content_type: str, location: str) -> str:
    if 300 <= status < 400 and location:
        return f"HTTP {status}, a redirect to {location}"
    return f"HTTP {status}, {content_type}"
