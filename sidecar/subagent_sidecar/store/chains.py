"""The live tasks of an upstream and their open runs, a page at a time: for the watcher."""

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
_RUNS = """
    SELECT task_id, run_id, status FROM runs
    WHERE ended_at IS NULL AND task_id IN ({marks})
    ORDER BY created_at, run_id
"""


def live_chains(
    conn: sqlite3.Connection, upstream: str, after: tuple[Timestamp, str] | None, limit: int
) -> Sequence[LiveChain]:
    """See ports.Store."""
    tasks = conn.execute(_TASKS, (upstream, *(after or ("", "")), limit)).fetchall()
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
