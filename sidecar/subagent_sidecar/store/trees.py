"""Reading trees of tasks from SQLite: the tasks, what happened to them, what they were refused."""

import json
from collections.abc import Sequence

from ..core.decisions import Decision
from ..core.matching import Call
from ..core.model import Event, Timestamp
from ..core.trace_ids import tree_trace
from ..core.trees import MOMENTS, TreePage
from .decision_rows import DECISION_COLUMNS, read_decision
from .driver import sqlite3
from .listing import records
from .rows import EVENT_COLUMNS, TASKS, read_event

_STRETCH = 20_000
"""Decisions that are looked at, so that a reader of a tree never keeps others waiting."""

_IDS = "(SELECT value FROM json_each(:ids))"
_OF_TREE = f"(task_id IN {_IDS} OR tree_id IN {_IDS})"
_COUNT = f"SELECT count(*) FROM tasks WHERE {_OF_TREE}"
_PAGE = TASKS.select(
    f"WHERE {_OF_TREE} AND (created_at, task_id) > (:at, :after) "
    "ORDER BY created_at, task_id LIMIT :limit"
)
_KINDS = ", ".join(f"'{kind}'" for kind in sorted(MOMENTS))
_MOMENTS = (
    f"SELECT {EVENT_COLUMNS} FROM events WHERE task_id = ? AND kind IN ({_KINDS}) "
    "ORDER BY seq DESC LIMIT ?"
)
_SESSION = f"json_extract(call, '$[{Call.__slots__.index('session')}]')"
_LAST = "SELECT coalesce(max(seq), 0) FROM decisions"
_REFUSED = f"""
    SELECT {DECISION_COLUMNS} FROM decisions
    WHERE seq > :low AND verdict = 'deny' AND {_SESSION} IN {_IDS}
    ORDER BY seq DESC LIMIT :limit
"""
_ROOTS = """
    SELECT task_id, tree_id, trace_parent FROM
        (SELECT * FROM tasks ORDER BY created_at DESC, task_id DESC LIMIT ?)
"""


def tree(
    conn: sqlite3.Connection,
    tree_ids: Sequence[str],
    after: tuple[Timestamp, str] | None,
    limit: int,
) -> TreePage:
    """See ports.Trees."""
    ids = json.dumps(list(tree_ids))
    at, task_id = after or ("", "")
    values = {"ids": ids, "at": at, "after": task_id, "limit": limit + 1}
    found = [TASKS.read(row) for row in conn.execute(_PAGE, values).fetchall()]
    page = found[:limit]
    more = len(found) > len(page)
    return TreePage(
        records=records(conn, page),
        total=int(conn.execute(_COUNT, {"ids": ids}).fetchone()[0]),
        next_after=(page[-1].created_at, page[-1].task_id) if more and page else None,
    )


def moments(conn: sqlite3.Connection, task_ids: Sequence[str], each: int) -> Sequence[Event]:
    """See ports.Trees."""
    found = [
        read_event(row)
        for task_id in task_ids
        for row in conn.execute(_MOMENTS, (task_id, each)).fetchall()
    ]
    return sorted(found, key=lambda event: event.seq)


def refused_in(conn: sqlite3.Connection, sessions: Sequence[str], limit: int) -> Sequence[Decision]:
    """See ports.Trees."""
    low = int(conn.execute(_LAST).fetchone()[0]) - _STRETCH
    values = {"ids": json.dumps(list(sessions)), "low": low, "limit": limit}
    return [read_decision(row) for row in conn.execute(_REFUSED, values).fetchall()][::-1]


def trees_in(conn: sqlite3.Connection, trace_id: str, among: int) -> Sequence[str]:
    """See ports.Trees."""
    found = [
        tree_id or task_id
        for task_id, tree_id, parent in conn.execute(_ROOTS, (among,))
        if (tree_trace(tree_id or task_id) if parent is None else parent[3:35]) == trace_id
    ]
    return sorted(set(found))
