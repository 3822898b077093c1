"""Sessions from SQLite: those that said something of themselves, and what tasks tell of all.

A listing has two steps. The first finds the sessions and their order from live tasks and those that
ended lately, which an index each leads to, whatever lies in the past. The second looks at the tasks
of the few on the page, and at no more than so many of each: callers that name no session share one.
"""

from typing import Any

from ..core.sessions import (
    Session,
    SessionKey,
    SessionLine,
    SessionPage,
    SessionPosition,
    SessionQuery,
)
from .driver import sqlite3
from .rows import SESSIONS

COUNTED = 5_000
"""Tasks of one session that a listing looks at, the newest."""

_ONE = SESSIONS.select("WHERE supervisor = ? AND session_id = ?")
_ANY = "SELECT 1 FROM sessions LIMIT 1"
_LIVE = "SELECT DISTINCT supervisor, session_id FROM tasks WHERE ended_at IS NULL"
_OF_LIVE = (
    f"WITH live AS MATERIALIZED ({_LIVE}) "
    + SESSIONS.select("")
    + "JOIN live USING (supervisor, session_id) "
    "WHERE (sessions.supervisor, sessions.session_id) > (?, ?) "
    "ORDER BY sessions.supervisor, sessions.session_id LIMIT ?"
)
_ASKED = "max(created_at, coalesce(last_checked_at, ''))"
_TASKS = f"SELECT supervisor, session_id, {{}} AS live, {_ASKED} AS at FROM tasks WHERE {{}}"
_COUNT_LIVE = (
    "SELECT supervisor, session_id, count(*) FROM tasks INDEXED BY tasks_live "
    "WHERE ended_at IS NULL GROUP BY 1, 2"
)
_SAID = "max(coalesce(last_beat_at, ''), coalesce(ended_at, ''))"
_ROWS = f"SELECT supervisor, session_id, 0 AS live, {_SAID} AS at FROM sessions WHERE {{}}"
_NEWEST = """
    SELECT task_id, created_at, last_checked_at FROM tasks INDEXED BY tasks_of_session
    WHERE session_id = ? AND supervisor = ? ORDER BY created_at DESC, task_id DESC LIMIT ?
"""
_SUMS = f"""
    SELECT count(DISTINCT task_id), coalesce(sum(runs.tokens), 0),
        coalesce(sum(runs.cost_micro_usd), 0), coalesce(sum(runs.unpriced), 0),
        max(t.created_at), max(t.last_checked_at), max(runs.created_at)
    FROM ({_NEWEST}) t LEFT JOIN runs USING (task_id)
"""
_FIRST = """
    SELECT created_at FROM tasks INDEXED BY tasks_of_session
    WHERE session_id = ? AND supervisor = ? ORDER BY created_at LIMIT 1
"""
_MORE = f"SELECT count(*) FROM ({_NEWEST})"
_TASK = "SELECT 1 FROM tasks WHERE task_id = ? AND run_id IS NOT NULL"


def session(conn: sqlite3.Connection, key: SessionKey) -> Session | None:
    """See ports.Store."""
    row = conn.execute(_ONE, key).fetchone()
    return None if row is None else SESSIONS.read(row)


def leases(conn: sqlite3.Connection, after: SessionKey | None, limit: int) -> list[Session]:
    """See ports.Store."""
    if conn.execute(_ANY).fetchone() is None:
        return []  # nobody renews leases here: live tasks need not be gone through
    rows = conn.execute(_OF_LIVE, (*(after or ("", "")), limit)).fetchall()
    return [SESSIONS.read(row) for row in rows]


def list_sessions(
    conn: sqlite3.Connection, query: SessionQuery, *, counted: int = COUNTED
) -> SessionPage:
    """See ports.Store."""
    sql, values = _found(query)
    found = conn.execute(sql, values).fetchall()
    page = found[: query.limit]
    more = len(found) > len(page)
    live = {row[:2]: row[2] for row in page}
    if query.of_some_tasks:  # then those found are not all that are live
        live = {row[:2]: row[2] for row in conn.execute(_COUNT_LIVE)}
    return SessionPage(
        sessions=tuple(
            _line(conn, supervisor, session_id, live.get((supervisor, session_id), 0), at, counted)
            for supervisor, session_id, _, at in page
        ),
        next_after=_position(*page[-1]) if more and page else None,
    )


def _found(query: SessionQuery) -> tuple[str, list[Any]]:
    """The SQL that finds one session more than the page holds, in order."""
    branches, values = [], []
    for text, more in _branches(query):
        branches.append(text)
        values += more
    after = ""
    if query.after is not None:
        after = "HAVING (sum(live) > 0, max(at), supervisor, session_id) < (?, ?, ?, ?)"
        values += [int(query.after[0]), *query.after[1:]]
    sql = (
        f"SELECT supervisor, session_id, sum(live), max(at) FROM ({' UNION ALL '.join(branches)}) "
        f"GROUP BY supervisor, session_id {after} "
        "ORDER BY sum(live) > 0 DESC, max(at) DESC, supervisor DESC, session_id DESC LIMIT ?"
    )
    return sql, [*values, query.limit + 1]


def _branches(query: SessionQuery) -> list[tuple[str, list[Any]]]:
    whose = {"session_id": query.session_id, "supervisor": query.supervisor}
    what = {"agent_name": query.agent_name, "upstream": query.upstream}
    mine, my_values = _where(whose)
    tasks, task_values = _where({**whose, **what})
    since = query.since
    ended, ended_values = ("", []) if since is None else ("AND ended_at >= ?", [since])
    found = [
        (_TASKS.format("1", f"ended_at IS NULL {tasks}"), task_values),
        (_TASKS.format("0", f"ended_at NOTNULL {ended} {tasks}"), [*ended_values, *task_values]),
    ]
    if not query.of_some_tasks:
        lately, its_values = ("", []) if since is None else (f"AND {_SAID} >= ?", [since])
        found.append((_ROWS.format(f"1 {lately} {mine}"), [*its_values, *my_values]))
    return found


def _where(columns: dict[str, str | None]) -> tuple[str, list[Any]]:
    said = {name: value for name, value in columns.items() if value is not None}
    return " ".join(f"AND {name} = ?" for name in said), list(said.values())


def _position(supervisor: str, session_id: str, live: int, at: str) -> SessionPosition:
    return live > 0, at, supervisor, session_id


def _line(
    conn: sqlite3.Connection, supervisor: str, session_id: str, live: int, at: str, counted: int
) -> SessionLine:
    mine = (session_id, supervisor)
    row = session(conn, (supervisor, session_id))
    tasks, tokens, cost, unpriced, *signs = conn.execute(_SUMS, (*mine, counted)).fetchone()
    beats = (row.first_beat_at, row.last_beat_at) if row is not None else (None, None)
    first = conn.execute(_FIRST, mine).fetchone() or (None,)
    return SessionLine(
        session_id=session_id,
        supervisor=supervisor,
        live=live,
        tasks=tasks,
        first_at=min((moment for moment in (first[0], beats[0]) if moment), default=at),
        last_sign_at=max((moment for moment in (*signs, beats[1]) if moment), default=at),
        tokens=tokens,
        cost_micro_usd=cost,
        unpriced=unpriced,
        capped=conn.execute(_MORE, (*mine, counted + 1)).fetchone()[0] > counted,
        parent_task_id=_parent(conn, session_id),
        row=row,
    )


def _parent(conn: sqlite3.Connection, session_id: str) -> str | None:
    """The task whose thread the session is (see core.admission)."""
    if session_id.startswith("default:"):
        return None
    return session_id if conn.execute(_TASK, (session_id,)).fetchone() else None
