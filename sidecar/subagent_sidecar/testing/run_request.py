"""The body of a run request -> the run record it makes, as langgraph-api 0.16.7 makes it."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from subagent_sidecar.testing.records import ApiError, Json, Run, Thread, assistant_id_of, uuid7

_CONTEXT_AND_CONFIGURABLE = (
    "Cannot specify both configurable and context. Prefer setting context alone."
    " Context was introduced in LangGraph 0.6.0 and is the long term planned replacement for"
    " configurable."
)
_RESERVED = frozenset({"run_id", "thread_id", "assistant_id", "graph_id", "__otel_traceparent__"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A run request on its way in. `temporary`: stateless, its thread goes with it."""

    body: Json
    request_id: str | None
    now: datetime
    temporary: bool = False


def require_object(value: object) -> Json:
    if not isinstance(value, dict):
        raise ApiError(422, f'{value!r} is not of type "object"\n\nFailed validating "type"')
    return value


def graph_of(body: Json, graphs: list[str]) -> str:
    """The graph that `assistant_id` names, by its own name or by its assistant's id."""
    if "assistant_id" not in body:
        raise ApiError(
            422,
            '"assistant_id" is a required property\n\nFailed validating "required" in schema'
            f"\n\nOn instance:\n    {body}",
        )
    wanted = str(body["assistant_id"])
    for graph_id in graphs:
        if wanted in (graph_id, assistant_id_of(graph_id)):
            return graph_id
    try:
        uuid.UUID(wanted)
    except ValueError:
        raise ApiError(
            422,
            f"Invalid assistant: '{wanted}'. Must be either:\n- A valid assistant UUID, or\n"
            f"- One of the registered graphs: {', '.join(graphs)}",
        ) from None
    raise ApiError(404, "Thread or assistant not found.")


def check_webhook(body: Json) -> None:
    """Loopback hosts are refused, for the whole request."""
    if not (webhook := body.get("webhook")):
        return
    host = urlsplit(str(webhook)).hostname or ""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if loopback:
        raise ApiError(422, "Webhook host blocked: loopback IP range")


def check_context(body: Json) -> None:
    """`context` and `config.configurable` exclude each other."""
    if body.get("context") and _unreserved((body.get("config") or {}).get("configurable")):
        raise ApiError(400, _CONTEXT_AND_CONFIGURABLE)


def make_run(submission: Submission, graph_id: str, thread: Thread | None, thread_id: str) -> Run:
    """`thread` is None where it is made by this very request; nothing of it is merged then."""
    body, now = submission.body, submission.now
    run_id, assistant_id = uuid7(now), assistant_id_of(graph_id)
    metadata = {
        "created_by": "system",
        **(thread.metadata if thread else {}),
        **_unreserved(body.get("metadata")),
        "assistant_id": assistant_id,
    }
    return Run(
        run_id=run_id,
        thread_id=thread_id,
        graph_id=graph_id,
        assistant_id=assistant_id,
        metadata=metadata,
        kwargs=_kwargs(submission, run_id, thread_id, graph_id, metadata),
        multitask_strategy=body.get("multitask_strategy") or "enqueue",
        created_at=(now + timedelta(seconds=body.get("after_seconds") or 0)).isoformat(),
        updated_at=now.isoformat(),
        after_seconds=float(body.get("after_seconds") or 0),
    )


def ghost_run(thread_id: str, run_id: str, now: datetime) -> Run:
    """What a stream of an unknown run is made from: one error event, and the end."""
    run = Run(
        run_id=run_id,
        thread_id=thread_id,
        graph_id="",
        assistant_id="",
        metadata={},
        kwargs={"resumable": False},
        multitask_strategy="enqueue",
        created_at=now.isoformat(),
        updated_at=now.isoformat(),
        after_seconds=0.0,
        status="error",
        ghost=True,
    )
    unknown = {"error": "HTTPException", "message": "404: Run not found"}
    run.events.append("error", unknown, now)
    run.events.close()
    return run


def _kwargs(
    submission: Submission, run_id: str, thread_id: str, graph_id: str, metadata: Json
) -> Json:
    body = submission.body
    config = dict(body.get("config") or {})
    given = _unreserved(config.get("configurable"))
    context = body.get("context") or {}
    config["configurable"] = {
        **(given or context),
        **_server_keys(submission),
        "run_id": run_id,
        "thread_id": thread_id,
        "graph_id": graph_id,
        "assistant_id": assistant_id_of(graph_id),
        "user_id": "",
    }
    config["metadata"] = metadata
    return {
        "input": body.get("input"),
        "command": body.get("command"),
        "config": config,
        "context": context or given,
        "stream_mode": stream_modes(body),
        "interrupt_before": body.get("interrupt_before"),
        "interrupt_after": body.get("interrupt_after"),
        "webhook": body.get("webhook"),
        "feedback_keys": body.get("feedback_keys"),
        "temporary": submission.temporary,
        "subgraphs": bool(body.get("stream_subgraphs")),
        "resumable": bool(body.get("stream_resumable")),
        "checkpoint_during": True,
        "durability": "async",
    }


def _server_keys(submission: Submission) -> Json:
    return {
        "langgraph_auth_user": None,
        "langgraph_auth_user_id": "",
        "langgraph_auth_permissions": [],
        "langgraph_request_id": submission.request_id or str(uuid.uuid4()),
        "__request_start_time_ms__": int(submission.now.timestamp() * 1000),
        "__after_seconds__": submission.body.get("after_seconds") or 0,
    }


def stream_modes(body: Json) -> list[str]:
    """`stream_mode` as a list: one word, several, or the default."""
    modes = body.get("stream_mode") or "values"
    return [modes] if isinstance(modes, str) else list(modes)


def _unreserved(values: Any) -> Json:
    """Keys the server keeps for itself are dropped without a word."""
    return {
        key: value
        for key, value in (values or {}).items()
        if key not in _RESERVED and not key.startswith("langgraph_")
    }
