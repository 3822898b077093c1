"""What spans say of tasks and runs. Values that are None are left out by `said`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import span_names as named
from .model import EndedBy, Run, RunStatus, TaskRecord, total

Attributes = dict[str, Any]

_ENDED_BY = {
    EndedBy.SUPERVISOR: "cancelled",
    EndedBy.OPERATOR: "cancelled_by_operator",
    EndedBy.REAPER: "reaped",
    EndedBy.BUDGET: "budget_exhausted",
    EndedBy.SERVER_LOST: "server_lost",
}


def said(attributes: Mapping[str, Any]) -> Attributes:
    """Those that there is something to say of."""
    return {name: value for name, value in attributes.items() if value is not None}


def of_task(record: TaskRecord) -> Attributes:
    """Whose it is, and its place in its tree."""
    task = record.task
    return {
        named.AGENT: task.agent_name,
        named.AGENT_ID: task.assistant_id,
        named.CONVERSATION: task.task_id,
        named.SESSION: task.session_id,
        named.SUPERVISOR: task.supervisor,
        named.UPSTREAM: task.upstream,
        named.TASK: task.task_id,
        named.TREE: task.tree_id or task.task_id,
        named.PARENT_TASK: task.parent_task_id,
        named.DEPTH: task.depth,
    }


def facts(run: Run) -> Attributes:
    """Which run it is."""
    return said(
        {
            named.AGENT: run.agent_name,
            named.AGENT_ID: run.assistant_id,
            named.RUN: run.run_id,
            named.RUN_KIND: run.kind,
            named.REQUEST: run.request_id,
            named.STRATEGY: run.strategy,
        }
    )


def of_run(run: Run, record: TaskRecord) -> Attributes:
    """All there is to say of a run that has ended."""
    task, error = record.task, error_of(run)
    return facts(run) | said(
        {
            named.OPERATION: named.INVOKE_AGENT,
            named.RUN_STATUS: run.status.value,
            named.SUPERSEDED_BY: run.superseded_by,
            named.BEGAN: run.started_at,
            named.QUEUED: _queued(run),
            named.ENDED_BY: None if run.cancel_asked_by is None else run.cancel_asked_by.value,
            named.REASON: run.cancel_reason,
            named.POLLS: task.polls,
            named.LAST_POLL: task.last_checked_at,
            named.ERROR: error,
            **_usage(run, record),
        }
    )


def error_of(run: Run) -> str | None:
    """Why a run did not come to a result; None if it did, or if a newer one took its place."""
    match run.status:
        case RunStatus.ERROR | RunStatus.TIMEOUT:
            return run.status.value
        case RunStatus.INTERRUPTED if run.cancel_asked_by is not None:
            return _ENDED_BY.get(run.cancel_asked_by, "interrupted")
        case RunStatus.INTERRUPTED:
            return None if run.superseded_by else "interrupted"
        case _:
            return None


def _queued(run: Run) -> float | None:
    """Seconds from the request until the run was seen at work."""
    if run.started_at is None:
        return None
    waited = datetime.fromisoformat(run.started_at) - datetime.fromisoformat(run.created_at)
    return max(waited.total_seconds(), 0.0)


def _usage(run: Run, record: TaskRecord) -> Attributes:
    """What was read of its tokens. Unknown is not zero."""
    used = total(entry for entry in record.usage if entry.run_id == run.run_id)
    if used is None:
        return {}
    return {
        named.INPUT_TOKENS: used.input_tokens,
        named.OUTPUT_TOKENS: used.output_tokens,
        named.CACHE_READ_TOKENS: used.cache_read_tokens or None,
        named.CACHE_WRITE_TOKENS: used.cache_write_tokens or None,
        named.MODEL: used.models[0] if len(used.models) == 1 else None,
        named.MODELS: list(used.models) if len(used.models) > 1 else None,
        named.COST: used.cost_micro_usd,
    }
