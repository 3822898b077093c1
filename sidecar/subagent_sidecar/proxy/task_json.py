"""Tasks and events as the admin plane writes them."""

from dataclasses import asdict
from typing import Any

from ..core.deadlines import NO_DEADLINES, Deadlines
from ..core.model import Event, Run, TaskRecord, Timestamp
from ..core.trace_ids import current_span, parent_span, trace_of
from .usage_json import usage_json


def task_json(
    record: TaskRecord, *, unknown_since: Timestamp | None, due: Deadlines = NO_DEADLINES
) -> dict[str, Any]:
    """The task record of design: flat, with its runs."""
    task = record.task
    return {
        "task_id": task.task_id,
        "short_id": record.short_id,
        "agent_name": task.agent_name,
        "thread_id": task.task_id,
        "run_id": task.run_id,
        "status": task.status.value,
        "created_at": task.created_at,
        "last_checked_at": task.last_checked_at,
        "last_updated_at": task.last_updated_at,
        "polls": task.polls,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "ended_by": task.ended_by,
        "reason": task.reason,
        "purpose": task.purpose,
        "session_id": task.session_id,
        "supervisor": task.supervisor,
        "upstream": task.upstream,
        "assistant_id": task.assistant_id,
        "parent_task_id": task.parent_task_id,
        "tree_id": task.tree_id or task.task_id,
        "depth": task.depth,
        "trace_id": trace_of(task),
        "span_id": current_span(record),
        "trace_parent": task.trace_parent if parent_span(task.trace_parent) else None,
        "in_doubt": record.in_doubt,
        "unknown_since": unknown_since,
        "queue_deadline": due.queue,
        "run_deadline": due.run,
        "total_deadline": due.total,
        "expires_at": due.expires_at,
        "runs": [_run_json(run, record) for run in record.runs],
        "superseded_run_ids": [run.run_id for run in record.runs if run.superseded_by],
        "usage": usage_json(record.usage),
    }


_ADDED_UP = frozenset({"tokens", "cost_micro_usd", "unpriced"})
"""What the books keep of a run's usage for counting; the usage itself is told in full."""


def _run_json(run: Run, record: TaskRecord) -> dict[str, Any]:
    used = [entry for entry in record.usage if entry.run_id == run.run_id]
    shown = {key: value for key, value in asdict(run).items() if key not in _ADDED_UP}
    return {**shown, "usage": usage_json(used)}


def event_json(event: Event) -> dict[str, Any]:
    return {**asdict(event), "detail": dict(event.detail)}
