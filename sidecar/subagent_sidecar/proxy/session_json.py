"""Sessions as both planes tell of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..core.facts import task_call
from ..core.model import TaskRecord, timestamp
from ..core.policy import Policy
from ..core.prices import usd_text
from ..core.sessions import Session, SessionLine, lease_of, lease_state, on_end, terms
from ..errors import BadBody
from ..sessions import SessionEnd

_LONGEST_REASON = 500


def session_json(line: SessionLine, policy: Policy, now: datetime) -> dict[str, Any]:
    """A session as it is listed. The cost is null where some of it is not known, or all."""
    settings = terms(policy, line.supervisor, line.session_id)
    row = line.row or Session(supervisor=line.supervisor, session_id=line.session_id)
    lease = lease_of(row, settings)
    known = line.cost_micro_usd if line.tokens and not line.unpriced else None
    return {
        "session_id": line.session_id,
        "supervisor": line.supervisor,
        "live_tasks": line.live,
        "tasks": line.tasks,
        "capped": line.capped,
        "first_at": line.first_at,
        "last_sign_at": line.last_sign_at,
        "lease": lease_state(row, settings, now).value,
        "lease_s": None if lease is None else lease.length.total_seconds(),
        "expires_at": None if lease is None else timestamp(lease.expires_at),
        "lapses_at": None if lease is None else timestamp(lease.lapses_at),
        "beats": row.beats,
        "last_beat_at": row.last_beat_at,
        "tokens": line.tokens,
        "cost_usd": None if known is None else usd_text(known),
        "unpriced": line.unpriced,
        "parent_task_id": line.parent_task_id,
        "ended_at": row.ended_at,
        "ended_by": row.ended_by,
        "reason": row.reason,
        "reopened_at": row.reopened_at,
    }


def end_json(end: SessionEnd, policy: Policy) -> dict[str, Any]:
    """An end, with what becomes of each live task by the policy in force."""
    session = end.session
    return {
        "session_id": session.session_id,
        "supervisor": session.supervisor,
        "ended_at": session.ended_at,
        "ended_by": session.ended_by,
        "reason": session.reason,
        "again": end.again,
        "tasks": [_task_json(record, policy) for record in end.tasks],
        "more": end.more,
    }


def _task_json(record: TaskRecord, policy: Policy) -> dict[str, Any]:
    task = record.task
    settled = policy.lifecycle_for(task_call(task))
    rule = settled.rules.get("on_session_end")
    return {
        "task_id": task.task_id,
        "short_id": record.short_id,
        "agent_name": task.agent_name,
        "upstream": task.upstream,
        "status": task.status.value,
        "on_session_end": on_end(settled.values).value,
        "rule": None if rule is None else rule.name,
    }


def reason_in(body: Mapping[str, Any]) -> str | None:
    """Why a session ends: one line, and no longer than anybody needs. Raises BadBody."""
    value = body.get("reason")
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadBody("reason: must be text")
    plain = "".join(char if char.isprintable() else " " for char in value)
    return " ".join(plain.split())[:_LONGEST_REASON] or None
