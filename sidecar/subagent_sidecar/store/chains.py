"""The tasks of an upstream that are to be watched, and their open runs."""

from collections.abc import Sequence
from typing import Any

from ..core.model import LiveChain, RunStatus, TaskStatus, Timestamp
from .driver import sqlite3

_AT_ONCE = 250
_TASKS = """
    SELECT task_id, created_at, status FROM tasks
    WHERE ended_at IS NULL AND upstream = ? AND (created_at, task_id) > (?, ?)
    ORDER BY created_at, task_id LIMIT ?
"""
_LOOSE_ENDS = """
    SELECT task_id, created_at, status FROM
        (SELECT * FROM tasks WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ?) AS ended
    WHERE upstream = ? AND (
        status = 'success' AND thread_status = 'unseen'
        OR EXISTS (SELECT 1 FROM runs WHERE task_id = ended.task_id AND ended_at IS NULL)
    )
    ORDER BY created_at, task_id
"""
_RUNS = """
    SELECT task_id, run_id, status FROM runs
    WHERE ended_at IS NULL AND task_id IN ({marks})
    ORDER BY created_at, run_id
"""


def live_chains(
    conn: sqlite3.Connection, upstream: str, after: tuple[Timestamp, str] | None, limit: int
) -> Sequence[LiveChain]:
    """See ports.Store."""
    return _chains(conn, conn.execute(_TASKS, (upstream, *(after or ("", "")), limit)).fetchall())


def loose_ends(conn: sqlite3.Connection, upstream: str, limit: int) -> Sequence[LiveChain]:
    """See ports.Store."""
    return _chains(conn, conn.execute(_LOOSE_ENDS, (limit, upstream)).fetchall())


def _chains(conn: sqlite3.Connection, tasks: Sequence[Any]) -> Sequence[LiveChain]:
    """`tasks` are rows of (task_id, created_at, status)."""
    runs: dict[str, list[tuple[str, RunStatus]]] = {row[0]: [] for row in tasks}
    for task_id, run_id, status in _open_runs(conn, list(runs)):
        runs[task_id].append((run_id, RunStatus(status)))
    return [
        LiveChain(
            task_id=task_id,
            created_at=created_at,
            status=TaskStatus(status),
            runs=tuple(runs[task_id]),
        )
        for task_id, created_at, status in tasks
    ]


def _open_runs(conn: sqlite3.Connection, ids: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        found += conn.execute(_RUNS.format(marks=", ".join("?" * len(part))), part).fetchall()
    return found
