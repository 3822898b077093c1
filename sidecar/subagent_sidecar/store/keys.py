"""Supervisor keys, in a table of their own: what is kept of them, never themselves.

Rows are added and revoked, and never removed or made good again: what a revoked id was stays on
record, and how many there are of both kinds tells whether anything has changed.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from ..core.keys import Key
from ..core.model import Timestamp
from .tails import Execute


def create_keys(db: Database) -> None:
    """The table, for a migration."""
    db.execute(_TABLE)


_TABLE = """
CREATE TABLE supervisor_keys (
    key_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    salt BLOB NOT NULL,
    digest BLOB NOT NULL,
    agents TEXT NOT NULL,
    every_task INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    created_by TEXT
) WITHOUT ROWID
"""

_COLUMNS = (
    "key_id, name, salt, digest, agents, every_task, created_at, expires_at, revoked_at, created_by"
)
_ADD = f"INSERT INTO supervisor_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ALL = f"SELECT {_COLUMNS} FROM supervisor_keys ORDER BY created_at, key_id"
_NAME = "SELECT name FROM supervisor_keys WHERE key_id = ? AND revoked_at IS NULL"
_REVOKE = "UPDATE supervisor_keys SET revoked_at = ? WHERE key_id = ?"
_STATE = "SELECT count(*), count(revoked_at) FROM supervisor_keys"


def add(execute: Execute, key: Key) -> None:
    """See ports.SupervisorKeys."""
    execute(
        _ADD,
        (
            key.key_id,
            key.name,
            key.salt,
            key.digest,
            json.dumps(key.agents),
            int(key.every_task),
            key.created_at,
            key.expires_at,
            key.revoked_at,
            key.created_by,
        ),
    )


def revoke(execute: Execute, key_id: str, at: Timestamp) -> str | None:
    """Whose key it was; None where there is none, or it is revoked already."""
    row = execute(_NAME, (key_id,)).fetchone()
    if row is None:
        return None
    execute(_REVOKE, (at, key_id))
    return str(row[0])


def every(execute: Execute) -> Sequence[Key]:
    """See ports.SupervisorKeys."""
    return [_read(row) for row in execute(_ALL).fetchall()]


def state(execute: Execute) -> tuple[int, int]:
    """See ports.SupervisorKeys."""
    there, revoked = execute(_STATE).fetchone()
    return there, revoked


def _read(row: tuple[Any, ...]) -> Key:
    key_id, name, salt, digest, agents, every_task, created_at, expires_at, revoked_at, by = row
    return Key(
        key_id=key_id,
        name=name,
        salt=bytes(salt),
        digest=bytes(digest),
        agents=tuple(json.loads(agents)),
        every_task=bool(every_task),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        created_by=by,
    )
