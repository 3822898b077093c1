"""What is to be told to targets of completion push, in a table of its own.

Rows are written one by one in the writer's transactions, a few for each end of a task, and removed
when they are done with: the table holds what waits, and no more.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlite_utils import Database

from ..core.model import Timestamp
from ..core.push.deliveries import Delivery
from . import span_places
from .tails import Execute


def create_deliveries(db: Database) -> None:
    """The table, for a migration."""
    for statement in _TABLE.split(";"):
        if statement.strip():
            db.execute(statement)


_TABLE = """
CREATE TABLE deliveries (
    target TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    status TEXT NOT NULL,
    task_id TEXT NOT NULL,
    run_id TEXT,
    next_at TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (target, seq)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (target, next_at)
"""

_PUT = "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_NEXT = "SELECT min(next_at) FROM deliveries WHERE target = ?"
_DUE = (
    "SELECT target, seq, at, status, task_id, run_id, next_at, attempts FROM deliveries "
    "WHERE target = ? AND next_at <= ? ORDER BY next_at, seq LIMIT ?"
)
_MINE = "WHERE target = ? AND seq = ? AND attempts = ?"
_CLAIM = f"UPDATE deliveries SET next_at = ?, attempts = attempts + 1 {_MINE}"
_AGAIN = f"UPDATE deliveries SET next_at = ? {_MINE}"
_DONE = f"DELETE FROM deliveries {_MINE}"
_OLD = "SELECT target, count(*) FROM deliveries WHERE at < ? GROUP BY target ORDER BY target"
_DROP = "DELETE FROM deliveries WHERE at < ?"
_WAITING = "SELECT target, count(*) FROM deliveries GROUP BY target ORDER BY target"


def enter(
    execute: Execute, name: str, after: int, upto: int, deliveries: Sequence[Delivery]
) -> bool:
    """See ports.Deliveries."""
    if not span_places.claim(execute, name, after, upto):
        return False
    for each in deliveries:
        known = (each.target, each.seq, each.at, each.status, each.task_id, each.run_id)
        execute(_PUT, (*known, each.next_at, each.attempts))
    return True


def next_due(execute: Execute, target: str) -> Timestamp | None:
    """See ports.Deliveries."""
    found: Timestamp | None = execute(_NEXT, (target,)).fetchone()[0]
    return found


def claim(
    execute: Execute, target: str, now: Timestamp, until: Timestamp, limit: int
) -> list[Delivery]:
    """See ports.Deliveries."""
    found = [_read(row) for row in execute(_DUE, (target, now, limit)).fetchall()]
    for each in found:
        execute(_CLAIM, (until, each.target, each.seq, each.attempts))
    return [replace(each, next_at=until, attempts=each.attempts + 1) for each in found]


def settle(execute: Execute, delivery: Delivery, again: Timestamp | None) -> None:
    """See ports.Deliveries."""
    mine = (delivery.target, delivery.seq, delivery.attempts)
    if again is None:
        execute(_DONE, mine)
    else:
        execute(_AGAIN, (again, *mine))


def drop(execute: Execute, before: Timestamp) -> dict[str, int]:
    """See ports.Deliveries."""
    old = dict(execute(_OLD, (before,)).fetchall())
    if old:
        execute(_DROP, (before,))
    return old


def waiting(execute: Execute) -> dict[str, int]:
    """See ports.Deliveries."""
    return dict(execute(_WAITING).fetchall())


def _read(row: tuple[str, int, str, str, str, str | None, str, int]) -> Delivery:
    target, seq, at, status, task_id, run_id, next_at, attempts = row
    return Delivery(
        target=target,
        seq=seq,
        at=at,
        status=status,
        task_id=task_id,
        run_id=run_id,
        next_at=next_at,
        attempts=attempts,
    )
