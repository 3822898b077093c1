"""Short ids: the shortest tails of task ids that no other task has.

langgraph's ids are UUIDv7: what was made within a minute begins alike, so the ends tell tasks
apart. Finding tails needs an index of reversed ids, and an entry at a random place of a large
index is the dearest part of writing a task. So tasks are entered into it behind the starts, many
at a time; a reader looks at the few that are not in it yet by itself.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Protocol

from .driver import sqlite3
from .row_set import MOST, parts

SHORT = 8
"""Characters of the shortest short id."""

_AT_ONCE = 5_000
_HIGH = "\U0010ffff"
"""Sorts after every character an id can hold."""

_DONE = "SELECT value FROM progress WHERE name = 'tails'"
_SET_DONE = "UPDATE progress SET value = ? WHERE name = 'tails'"
_NEXT = "SELECT rowid, task_id FROM tasks WHERE rowid > ? ORDER BY rowid LIMIT ?"
_ENTER = {
    count: f"INSERT OR IGNORE INTO tails (tail) VALUES {', '.join(['(?)'] * count)}"
    for count in range(1, MOST + 1)
}
_RECENT = f"SELECT task_id FROM tasks WHERE rowid > ({_DONE})"
_BEFORE = "SELECT max(tail) FROM tails WHERE tail < ?"
_AFTER = "SELECT min(tail) FROM tails WHERE tail > ?"
_WITH_PREFIX = "SELECT tail FROM tails WHERE tail >= ? AND tail < ? LIMIT ?"


class Execute(Protocol):
    """A connection's or a cursor's `execute`."""

    def __call__(self, sql: str, parameters: Sequence[Any] = ..., /) -> sqlite3.Cursor: ...


def enter_tails(execute: Execute) -> bool:
    """Enter tasks that are not in the index yet, a few thousand at most; whether more are left."""
    done = execute(_DONE).fetchone()[0]
    rows = execute(_NEXT, (done, _AT_ONCE)).fetchall()
    for part in parts(sorted(task_id[::-1] for _, task_id in rows)):
        execute(_ENTER[len(part)], part)
    if rows:
        execute(_SET_DONE, (rows[-1][0],))
    return len(rows) == _AT_ONCE


class Tails:
    """The tails of all tasks, as one reader sees them."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._recent = sorted(row[0][::-1] for row in conn.execute(_RECENT))

    def short_id(self, task_id: str) -> str:
        """The shortest tail of at least 8 characters that no other task has."""
        tail = task_id[::-1]
        longest = max((_common(tail, other) for other in self._neighbours(tail)), default=0)
        return tail[: max(SHORT, longest + 1)][::-1]

    def ending(self, fragment: str, limit: int) -> list[str]:
        """Ids of at most `limit` tasks that end with `fragment`."""
        prefix = fragment[::-1]
        found = {
            row[0] for row in self._conn.execute(_WITH_PREFIX, (prefix, prefix + _HIGH, limit))
        }
        found.update(tail for tail in self._recent if tail.startswith(prefix))
        return [tail[::-1] for tail in sorted(found)[:limit]]

    def _neighbours(self, tail: str) -> list[str]:
        """Those that stand beside it in order: nobody shares more of it than they do."""
        near = [self._conn.execute(sql, (tail,)).fetchone()[0] for sql in (_BEFORE, _AFTER)]
        near += self._recent[max(0, bisect_left(self._recent, tail) - 1) :][:1]
        near += self._recent[bisect_right(self._recent, tail) :][:1]
        return [other for other in near if other is not None and other != tail]


def _common(one: str, other: str) -> int:
    """How many characters they begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
