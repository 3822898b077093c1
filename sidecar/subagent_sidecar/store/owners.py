"""Whose threads are, from SQLite. What stands last in the statement counts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from ..core.owners import Owner
from .driver import sqlite3

_IN = "WHERE thread_id IN ({0})"
_OWNERS = f"""
    SELECT thread_id, upstream, supervisor FROM intents {_IN} AND kind != 'cron'
    UNION ALL SELECT thread_id, upstream, supervisor FROM threads {_IN}
    UNION ALL SELECT task_id, upstream, supervisor FROM tasks WHERE task_id IN ({{0}})
"""
_RUN = "SELECT 1 FROM runs WHERE task_id = ? AND run_id = ?"
_OWNED = """
    SELECT task_id FROM tasks WHERE supervisor = ? AND upstream = ?
    ORDER BY created_at DESC, task_id DESC LIMIT ?
"""


T = TypeVar("T")


class Read(Protocol):
    """Runs its argument where reading is done."""

    def __call__(self, work: Callable[[sqlite3.Connection], T]) -> Awaitable[T]: ...


class OwnersReading:
    """ports.Owners."""

    _read: Read

    async def owners(self, thread_ids: Sequence[str]) -> Mapping[str, Owner]:
        return await self._read(lambda conn: _owners(conn, thread_ids))

    async def has_run(self, thread_id: str, run_id: str) -> bool:
        asked = (thread_id, run_id)
        row = await self._read(lambda conn: conn.execute(_RUN, asked).fetchone())
        return row is not None

    async def owned(self, owner: Owner, *, limit: int) -> Sequence[str]:
        asked = (owner.supervisor, owner.upstream, limit)
        rows = await self._read(lambda conn: conn.execute(_OWNED, asked).fetchall())
        return [task_id for (task_id,) in rows]


def _owners(conn: sqlite3.Connection, thread_ids: Sequence[str]) -> Mapping[str, Owner]:
    ids = list(dict.fromkeys(thread_ids))
    rows = conn.execute(_OWNERS.format(", ".join("?" * len(ids))), ids * 3)
    return {thread_id: Owner(upstream, who) for thread_id, upstream, who in rows.fetchall()}
