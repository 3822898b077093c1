"""Looking names up in SQLite: what an operator typed or a server lists, and what is on record."""

from collections.abc import Sequence

from ..core.matching import Scope
from ..core.model import Timestamp
from ..core.recovery import normalised
from .counting import WITHIN
from .driver import sqlite3

_TASKS = "SELECT task_id FROM tasks WHERE upstream = ? AND task_id IN ({})"
_STARTS = (
    "SELECT thread_id FROM intents WHERE upstream = ? AND kind != 'cron' AND thread_id IN ({})"
)
_THREADS = "SELECT thread_id FROM threads WHERE upstream = ? AND thread_id IN ({})"
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


def unrecorded(
    conn: sqlite3.Connection, upstream: str, thread_ids: Sequence[str]
) -> dict[str, bool]:
    """See ports.Store."""
    ids = list(dict.fromkeys(thread_ids))

    def there(sql: str) -> set[str]:
        rows = conn.execute(sql.format(", ".join("?" * len(ids))), [upstream, *ids])
        return {thread_id for (thread_id,) in rows.fetchall()}

    made, recorded = there(_THREADS), there(_TASKS) | there(_STARTS)
    return {thread_id: thread_id in made for thread_id in ids if thread_id not in recorded}


def begun(conn: sqlite3.Connection) -> Timestamp | None:
    """See ports.Store: when the file was made."""
    (moment,) = conn.execute("SELECT min(applied_at) FROM _sqlite_migrations").fetchone()
    return None if moment is None else normalised(moment)


def names(conn: sqlite3.Connection, scope: Scope, among: int) -> Sequence[str]:
    """See ports.Store."""
    column = _COLUMNS[scope]
    newest = f"SELECT {column} FROM tasks ORDER BY created_at DESC, task_id DESC LIMIT ?"
    rows = conn.execute(f"SELECT DISTINCT {column} FROM ({newest})", (among,))
    return [name for (name,) in rows.fetchall()]
