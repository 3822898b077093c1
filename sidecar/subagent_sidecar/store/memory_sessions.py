"""Sessions of the store in memory: the twin of sessions.py."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..core.model import Task, Timestamp
from ..core.sessions import (
    Session,
    SessionKey,
    SessionLine,
    SessionPage,
    SessionPosition,
    SessionQuery,
)

if TYPE_CHECKING:
    from .memory_tables import Tables


def leases(tables: "Tables", after: SessionKey | None, limit: int) -> list[Session]:
    """See ports.Store."""
    live = {(task.supervisor, task.session_id) for task in tables.tasks.values() if task.live}
    found = sorted(live & tables.sessions.keys())
    return [tables.sessions[key] for key in found if after is None or key > after][:limit]


def list_sessions(tables: "Tables", query: SessionQuery) -> SessionPage:
    """See ports.Store."""
    found = sorted(_found(tables, query).values(), reverse=True)
    rest = [place for place in found if query.after is None or place < query.after]
    page = rest[: query.limit]
    more = len(rest) > len(page)
    return SessionPage(
        sessions=tuple(_line(tables, place) for place in page),
        next_after=page[-1] if more and page else None,
    )


def _found(tables: "Tables", query: SessionQuery) -> dict[SessionKey, SessionPosition]:
    found: dict[SessionKey, SessionPosition] = {}

    def add(supervisor: str, session_id: str, live: bool, at: Timestamp) -> None:
        if query.session_id in (None, session_id) and query.supervisor in (None, supervisor):
            key = supervisor, session_id
            known = found.get(key, (False, "", *key))
            found[key] = known[0] or live, max(known[1], at), *key

    for task in tables.tasks.values():
        lately = query.since is None or task.ended_at is None or task.ended_at >= query.since
        if (
            lately
            and query.agent_name in (None, task.agent_name)
            and query.upstream in (None, task.upstream)
        ):
            at = max(task.created_at, task.last_checked_at or "")
            add(task.supervisor, task.session_id, task.live, at)
    if not query.of_some_tasks:
        for row in tables.sessions.values():
            at = max(row.last_beat_at or "", row.ended_at or "")
            if query.since is None or at >= query.since:
                add(row.supervisor, row.session_id, False, at)
    return found


def _line(tables: "Tables", place: SessionPosition) -> SessionLine:
    _, at, supervisor, session_id = place
    key = supervisor, session_id
    tasks = [t for t in tables.tasks.values() if (t.supervisor, t.session_id) == key]
    runs = [run for task in tasks for run in tables.runs(task.task_id)]
    row = tables.sessions.get(key)
    first_beat, last_beat = (None, None) if row is None else (row.first_beat_at, row.last_beat_at)
    parent = tables.tasks.get("" if session_id.startswith("default:") else session_id)
    return SessionLine(
        session_id=session_id,
        supervisor=supervisor,
        live=sum(task.live for task in tasks),
        tasks=len(tasks),
        first_at=min(_said([*_starts(tasks), first_beat]), default=at),
        last_sign_at=max(
            _said(
                [
                    *_starts(tasks),
                    *(task.last_checked_at for task in tasks),
                    *(run.created_at for run in runs),
                    last_beat,
                ]
            ),
            default=at,
        ),
        tokens=sum(run.tokens for run in runs),
        cost_micro_usd=sum(run.cost_micro_usd for run in runs),
        unpriced=sum(run.unpriced for run in runs),
        parent_task_id=session_id if parent is not None and parent.run_id is not None else None,
        row=row,
    )


def _starts(tasks: Iterable[Task]) -> list[Timestamp]:
    return [task.created_at for task in tasks]


def _said(moments: Iterable[Timestamp | None]) -> list[Timestamp]:
    return [moment for moment in moments if moment]
