"""The records that are told of: tasks, runs, events, sessions."""

from ...core.model import EndedBy, RunStatus, TaskStatus
from ...core.sessions import LeaseState
from ...core.trace_ids import STATELESS
from .kinds import (
    ANY_OBJECT,
    COUNT,
    FLAG,
    MOMENT,
    NAME,
    SECONDS,
    TEXT,
    USD,
    Schema,
    maybe,
    record,
    ref,
    said,
    several,
    words,
)

STATUS = words(*TaskStatus)
_ENDED_BY = words(*EndedBy)
_TRACE_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_SPAN_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}

_USAGE = record(
    {
        "input_tokens": COUNT,
        "output_tokens": COUNT,
        "cache_read_tokens": COUNT,
        "cache_write_tokens": COUNT,
        "cost_usd": maybe(USD),
        "model": maybe(TEXT),
        "models": several(TEXT),
    }
)
_RUN = record(
    {
        "run_id": NAME,
        "task_id": NAME,
        "kind": words("start", "update", STATELESS),
        "status": words(*RunStatus),
        "created_at": MOMENT,
        "request_id": maybe(TEXT),
        "assistant_id": maybe(TEXT),
        "strategy": maybe(TEXT),
        "started_at": maybe(MOMENT),
        "ended_at": maybe(MOMENT),
        "cancel_asked_at": maybe(MOMENT),
        "cancel_asked_by": maybe(_ENDED_BY),
        "cancel_reason": maybe(TEXT),
        "cancel_unconfirmed_at": maybe(MOMENT),
        "cancel_confirmed_at": maybe(MOMENT),
        "superseded_by": maybe(TEXT),
        "fingerprint": maybe(TEXT),
        "settled": FLAG,
        "admitted": maybe(TEXT),
        "agent_name": maybe(TEXT),
        "counted_at": maybe(MOMENT),
        "usage": maybe(ref("Usage")),
    }
)
_TASK = record(
    {
        "task_id": NAME,
        "short_id": NAME,
        "agent_name": TEXT,
        "thread_id": NAME,
        "run_id": maybe(TEXT),
        "status": STATUS,
        "created_at": MOMENT,
        "last_checked_at": maybe(MOMENT),
        "last_updated_at": MOMENT,
        "polls": COUNT,
        "started_at": maybe(MOMENT),
        "ended_at": maybe(MOMENT),
        "ended_by": maybe(_ENDED_BY),
        "reason": maybe(TEXT),
        "purpose": maybe(TEXT),
        "session_id": TEXT,
        "supervisor": TEXT,
        "upstream": TEXT,
        "assistant_id": maybe(TEXT),
        "parent_task_id": maybe(TEXT),
        "tree_id": NAME,
        "depth": COUNT,
        "trace_id": _TRACE_ID,
        "span_id": _SPAN_ID,
        "trace_parent": maybe(TEXT),
        "in_doubt": FLAG,
        "unknown_since": maybe(MOMENT),
        "queue_deadline": maybe(MOMENT),
        "run_deadline": maybe(MOMENT),
        "total_deadline": maybe(MOMENT),
        "expires_at": maybe(MOMENT),
        "runs": several(ref("Run")),
        "superseded_run_ids": several(NAME),
        "usage": maybe(ref("Usage")),
    }
)
_SPAN_OF_OTHERS: dict[str, Schema] = {
    "name": TEXT,
    "service": TEXT,
    "start": MOMENT,
    "end": MOMENT,
    "status": words("unset", "error"),
    "error": maybe(TEXT),
    "trace_id": _TRACE_ID,
    "span_id": _SPAN_ID,
    "parent_span_id": maybe(TEXT),
    "run_id": maybe(TEXT),
}
_EVENT_FIELDS: dict[str, Schema] = {
    "seq": COUNT,
    "at": MOMENT,
    "kind": NAME,
    "task_id": maybe(TEXT),
    "run_id": maybe(TEXT),
    "status": maybe(TEXT),
    "detail": said(ANY_OBJECT, "by kind: see docs/reference/events.md"),
}
_TOLD_EVENT = record(
    {
        **_EVENT_FIELDS,
        "agent_name": maybe(TEXT),
        "session_id": maybe(TEXT),
        "upstream": maybe(TEXT),
    }
)
_SESSION = record(
    {
        "session_id": TEXT,
        "supervisor": TEXT,
        "live_tasks": COUNT,
        "tasks": COUNT,
        "capped": FLAG,
        "first_at": MOMENT,
        "last_sign_at": MOMENT,
        "lease": words(*LeaseState),
        "lease_s": maybe(SECONDS),
        "expires_at": maybe(MOMENT),
        "lapses_at": maybe(MOMENT),
        "beats": COUNT,
        "last_beat_at": maybe(MOMENT),
        "tokens": COUNT,
        "cost_usd": maybe(USD),
        "unpriced": COUNT,
        "parent_task_id": maybe(TEXT),
        "ended_at": maybe(MOMENT),
        "ended_by": maybe(_ENDED_BY),
        "reason": maybe(TEXT),
        "reopened_at": maybe(MOMENT),
    }
)
RECORDS: dict[str, Schema] = {
    "Task": _TASK,
    "Run": _RUN,
    "Usage": _USAGE,
    "Event": record(_EVENT_FIELDS),
    "ToldEvent": _TOLD_EVENT,
    "SpanOfOthers": record(_SPAN_OF_OTHERS),
    "SpanOfATask": record({**_SPAN_OF_OTHERS, "task_id": NAME}),
    "Session": _SESSION,
}
"""By the names under which they are referred to."""
