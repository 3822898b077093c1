"""Looking names up in SQLite: what an operator typed, against what is on record."""

from collections.abc import Sequence

from ..core.matching import Scope
from .counting import WITHIN
from .driver import sqlite3

_RUN_OF = "SELECT 1 FROM runs WHERE agent_name = ? LIMIT 1"
_COLUMNS = {
    Scope.AGENT: "agent_name",
    Scope.SESSION: "session_id",
    Scope.SUPERVISOR: "supervisor",
    Scope.UPSTREAM: "upstream",
}


def has(conn: sqlite3.Connection, scope: Scope, scope_id: str) -> bool:
    """See ports.Store. By an index, but of agents and upstreams, which reads all there is where
    there is none of that name."""
    within = f"SELECT 1 FROM tasks t WHERE {WITHIN[scope]} LIMIT 1"
    if conn.execute(within, {"id": scope_id}).fetchone():
        return True
    return scope is Scope.AGENT and conn.execute(_RUN_OF, (scope_id,)).fetchone() is not None


def names(conn: sqlite3.Connection, scope: Scope, among: int) -> Sequence[str]:
    """See ports.Store."""
    column = _COLUMNS[scope]
    newest = f"SELECT {column} FROM tasks ORDER BY created_at DESC, task_id DESC LIMIT ?"
    rows = conn.execute(f"SELECT DISTINCT {column} FROM ({newest})", (among,))
    return [name for (name,) in rows.fetchall()]
