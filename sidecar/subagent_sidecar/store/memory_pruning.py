"""Removing old records from the store in memory: the twin of pruning.py."""

from typing import TYPE_CHECKING

from ..core.model import Task, Timestamp
from ..core.sums import added, key_of, sums_of

if TYPE_CHECKING:
    from .memory_tables import Tables


def prune(tables: "Tables", before: Timestamp, limit: int) -> int:
    """See ports.Store."""
    old = [task for task in tables.tasks.values() if _prunable(tables, task, before)]
    old.sort(key=lambda task: task.ended_at or "")
    tables.tallies.forget()
    for task in old[:limit]:
        _remove(tables, task)
    removed = len(old[:limit]) or _prune_events(tables, before, limit)
    removed = removed or _prune_threads(tables, before, limit)
    removed = removed or _prune_decisions(tables, before, limit)
    return removed or _prune_sessions(tables, before, limit)


def _prunable(tables: "Tables", task: Task, before: Timestamp) -> bool:
    if task.ended_at is None or task.ended_at >= before:
        return False
    parent = tables.tasks.get(task.parent_task_id or "")
    return (
        (parent is None or parent.ended_at is not None)
        and not any(
            other.parent_task_id == task.task_id
            for other in tables.tasks.values()
            if other.ended_at is None
        )
        and not _awaited(tables, task.task_id)
        and not any(run.at_large for run in tables.runs(task.task_id))
        and task.task_id != next(reversed(tables.tasks))
        and (not tables.events or task.task_id != tables.events[-1].task_id)
    )


def _awaited(tables: "Tables", task_id: str) -> bool:
    """Whether a start on it, or of a child of it, has not been settled."""
    return any(
        task_id in (intent.thread_id, intent.parent_task_id) for intent in tables.intents.values()
    )


def _remove(tables: "Tables", task: Task) -> None:
    runs = [key for key in tables.all_runs if key[0] == task.task_id]
    usage = [entry for entry in tables.all_usage.values() if entry.task_id == task.task_id]
    for one in sums_of(task, len(runs), usage):
        known = tables.sums.get(key_of(one))
        tables.sums[key_of(one)] = one if known is None else added(known, one)
    for key in runs:
        del tables.all_runs[key]
    for claimed in [key for key in tables.all_reaps if key[0] == task.task_id]:
        del tables.all_reaps[claimed]
    for entry in usage:
        del tables.all_usage[entry.task_id, entry.message_id]
    tables.drop_events({e.seq for e in tables.events if e.task_id == task.task_id})
    tables.threads.pop(task.task_id, None)
    del tables.tasks[task.task_id]


def _prune_events(tables: "Tables", before: Timestamp, limit: int) -> int:
    loose = [e.seq for e in tables.events[:-1] if e.at < before and e.task_id not in tables.tasks]
    tables.drop_events(set(loose[:limit]))
    return len(loose[:limit])


def _prune_threads(tables: "Tables", before: Timestamp, limit: int) -> int:
    idle = [
        thread.thread_id
        for thread in tables.threads.values()
        if thread.created_at < before
        and thread.thread_id not in tables.tasks
        and not _awaited(tables, thread.thread_id)
    ]
    for thread_id in idle[:limit]:
        del tables.threads[thread_id]
    return len(idle[:limit])


def _prune_decisions(tables: "Tables", before: Timestamp, limit: int) -> int:
    loose = [
        decision
        for decision in tables.decisions[:-1]
        if decision.at < before and decision.thread_id not in tables.tasks
    ][:limit]
    gone = {decision.seq for decision in loose}
    newest = max((decision.at for decision in loose), default="")
    tables.decisions = [each for each in tables.decisions if each.seq not in gone]
    tables.decided_before = max(tables.decided_before or "", newest) or None
    return len(gone)


def _prune_sessions(tables: "Tables", before: Timestamp, limit: int) -> int:
    busy = {(task.supervisor, task.session_id) for task in tables.tasks.values()}
    idle = [
        key
        for key, row in tables.sessions.items()
        if key not in busy and max(row.last_beat_at or "", row.ended_at or "") < before
    ]
    for key in idle[:limit]:
        del tables.sessions[key]
    return len(idle[:limit])
