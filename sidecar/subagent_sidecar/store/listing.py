"""Listing tasks from SQLite: filters, keyset pages, short ids."""

from collections.abc import Sequence
from typing import Any

from ..core.model import Run, Task, TaskPage, TaskQuery, TaskRecord, UsageEntry, in_order
from .driver import sqlite3
from .rows import RUNS, TASKS, USAGE
from .tails import SHORT, Tails

_AT_ONCE = 100
_MAX_HIDDEN = 1_000
_HIGH = "\U0010ffff"
"""Sorts after every character an id can hold."""

_IN_DOUBT = "SELECT thread_id FROM intents WHERE in_doubt IS NOT NULL"
_AT_LARGE = "task_id IN (SELECT task_id FROM runs WHERE cancel_unconfirmed_at IS NOT NULL)"
_BY_HEAD = "SELECT task_id FROM tasks WHERE task_id >= ? AND task_id < ? LIMIT ?"

# No index helps here, and none is needed: it is what a person types, and only as a last resort.
_BY_SHORT_HEAD = "SELECT task_id FROM tasks WHERE substr(task_id, ?, ?) = ? LIMIT ?"

_Where = list[tuple[str, list[Any]]]


def list_tasks(conn: sqlite3.Connection, query: TaskQuery) -> TaskPage:
    """One page. The kinds of shown tasks (live, lately ended, over in word only) are read by an
    index each and merged, so that a page costs the same whatever lies in the past."""
    filters = _filters(query)
    page_filters = list(filters)
    if query.after is not None:
        page_filters.append(("(created_at, task_id) < (?, ?)", list(query.after)))
    if query.ended_after is None:
        branches = [page_filters]
    else:
        branches = [
            [*page_filters, ("ended_at IS NULL", [])],
            [*page_filters, ("ended_at >= ?", [query.ended_after])],
            [*page_filters, ("ended_at < ?", [query.ended_after]), (_AT_LARGE, [])],
        ]
    found: list[Task] = []
    for branch in branches:
        where, values = _where(branch)
        sql = TASKS.select(f"{where} ORDER BY created_at DESC, task_id DESC LIMIT ?")
        rows = conn.execute(sql, [*values, query.limit + 1]).fetchall()
        found.extend(TASKS.read(row) for row in rows)
    found.sort(key=lambda task: (task.created_at, task.task_id), reverse=True)
    page = found[: query.limit]
    more = len(found) > len(page)
    return TaskPage(
        records=records(conn, page),
        next_after=(page[-1].created_at, page[-1].task_id) if more and page else None,
        hidden=_hidden(conn, filters, query),
    )


def _filters(query: TaskQuery) -> _Where:
    columns = {
        "session_id": query.session_id,
        "supervisor": query.supervisor,
        "agent_name": query.agent_name,
        "upstream": query.upstream,
    }
    filters: _Where = [
        (f"{name} = ?", [value]) for name, value in columns.items() if value is not None
    ]
    if query.statuses:
        marks = ", ".join("?" * len(query.statuses))
        filters.append((f"status IN ({marks})", sorted(query.statuses)))
    if query.since is not None:
        filters.append(("created_at >= ?", [query.since]))
    return filters


def _where(filters: _Where) -> tuple[str, list[Any]]:
    if not filters:
        return "", []
    clause = " AND ".join(text for text, _ in filters)
    return f"WHERE {clause}", [value for _, values in filters for value in values]


def _hidden(conn: sqlite3.Connection, filters: _Where, query: TaskQuery) -> int:
    if query.ended_after is None or query.after is not None:
        return 0
    old = ("ended_at < ?", [query.ended_after])
    where, values = _where([*filters, old, (f"NOT {_AT_LARGE}", [])])
    sql = f"SELECT count(*) FROM (SELECT 1 FROM tasks {where} LIMIT {_MAX_HIDDEN})"
    return int(conn.execute(sql, values).fetchone()[0])


def records(
    conn: sqlite3.Connection, tasks: Sequence[Task], *, short: bool = True
) -> tuple[TaskRecord, ...]:
    """Tasks with their runs and, if `short`, the shortest tails nobody else has."""
    runs: dict[str, list[Run]] = {task.task_id: [] for task in tasks}
    for start in range(0, len(tasks), _AT_ONCE):
        ids = [task.task_id for task in tasks[start : start + _AT_ONCE]]
        sql = RUNS.select(f"WHERE task_id IN ({', '.join('?' * len(ids))})")
        for run in map(RUNS.read, conn.execute(sql, ids)):
            runs[run.task_id].append(run)
    usage = _usage(conn, list(runs))
    doubted = {row[0] for row in conn.execute(_IN_DOUBT)}
    tails = Tails(conn) if short else None
    return tuple(
        TaskRecord(
            task=task,
            runs=tuple(in_order(runs[task.task_id])),
            short_id="" if tails is None else tails.short_id(task.task_id),
            usage=tuple(usage[task.task_id]),
            in_doubt=task.task_id in doubted,
        )
        for task in tasks
    )


def _usage(conn: sqlite3.Connection, ids: Sequence[str]) -> dict[str, list[UsageEntry]]:
    found: dict[str, list[UsageEntry]] = {task_id: [] for task_id in ids}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        sql = USAGE.select(f"WHERE task_id IN ({', '.join('?' * len(part))})")
        for entry in map(USAGE.read, conn.execute(sql, part)):
            found[entry.task_id].append(entry)
    return found


def tasks_named(conn: sqlite3.Connection, fragment: str, limit: int) -> list[str]:
    """Ids that begin or end with `fragment`, or else those whose short id begins with it."""
    rows = conn.execute(_BY_HEAD, (fragment, fragment + _HIGH, limit)).fetchall()
    found = {row[0] for row in rows} | set(Tails(conn).ending(fragment, limit))
    if not found and len(fragment) < SHORT:
        rows = conn.execute(_BY_SHORT_HEAD, (-SHORT, len(fragment), fragment, limit)).fetchall()
        found = {row[0] for row in rows}
    return sorted(found)[:limit]
