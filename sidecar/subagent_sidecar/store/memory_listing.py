"""Tasks as the store in memory shows and lists them."""

from collections.abc import Sequence

from ..core.model import Task, TaskPage, TaskQuery, TaskRecord
from .memory_tables import Tables

_MAX_HIDDEN = 1_000
_SHORT = 8


def record(tables: Tables, task: Task) -> TaskRecord:
    return TaskRecord(
        task=task,
        runs=tuple(tables.runs(task.task_id)),
        short_id=_short_id(task.task_id, tables.tasks.keys() - {task.task_id}),
        usage=tuple(e for e in tables.all_usage.values() if e.task_id == task.task_id),
        in_doubt=any(i.in_doubt is not None for i in tables.intents_on(task.task_id)),
    )


def tasks_named(tables: Tables, fragment: str, limit: int) -> Sequence[str]:
    ids = tables.tasks.keys()
    fits = [one for one in ids if one.startswith(fragment) or one.endswith(fragment)]
    if not fits and len(fragment) < _SHORT:
        fits = [one for one in ids if one[-_SHORT:].startswith(fragment)]
    return sorted(fits)[:limit]


def list_tasks(tables: Tables, query: TaskQuery) -> TaskPage:
    newest_first = sorted(
        tables.tasks.values(), key=lambda task: (task.created_at, task.task_id), reverse=True
    )
    matching = [task for task in newest_first if _matches(task, query)]
    shown = [task for task in matching if not _too_old(tables, task, query)]
    after = query.after
    rest = [task for task in shown if after is None or (task.created_at, task.task_id) < after]
    page = rest[: query.limit]
    more = len(rest) > len(page)
    return TaskPage(
        records=tuple(record(tables, task) for task in page),
        next_after=(page[-1].created_at, page[-1].task_id) if more and page else None,
        hidden=0 if after else min(len(matching) - len(shown), _MAX_HIDDEN),
    )


def _too_old(tables: Tables, task: Task, query: TaskQuery) -> bool:
    if query.ended_after is None or task.live:
        return False
    at_large = any(run.at_large for run in tables.runs(task.task_id))
    return (task.ended_at or "") < query.ended_after and not at_large


def _matches(task: Task, query: TaskQuery) -> bool:
    return (
        query.session_id in (None, task.session_id)
        and query.supervisor in (None, task.supervisor)
        and query.agent_name in (None, task.agent_name)
        and query.upstream in (None, task.upstream)
        and (not query.statuses or task.status in query.statuses)
        and (query.since is None or task.created_at >= query.since)
    )


def _short_id(task_id: str, others: set[str]) -> str:
    for length in range(_SHORT, len(task_id)):
        tail = task_id[-length:]
        if not any(other.endswith(tail) for other in others):
            return tail
    return task_id
