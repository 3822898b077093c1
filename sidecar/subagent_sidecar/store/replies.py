"""What was answered to starts that came with a key, in a table of its own.

Rows are read and written one by one in the writer's transactions: a start with a key pays two
statements in the commit that its intent needs anyway, and one without pays nothing.
"""

import json
from typing import Any

from sqlite_utils import Database

from ..core.idempotency import Answer, Reply
from ..core.model import Timestamp
from .tails import Execute


def create_replies(db: Database) -> None:
    """The table, for a migration. Not WITHOUT ROWID: bodies are long, and such a table holds its
    rows in the tree of its keys."""
    for statement in _TABLE.split(";"):
        if statement.strip():
            db.execute(statement)


_TABLE = """
CREATE TABLE replies (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    thread_id TEXT,
    run_id TEXT,
    settled INTEGER NOT NULL,
    status INTEGER,
    fields TEXT,
    body BLOB
);
CREATE INDEX replies_by_age ON replies (created_at)
"""

_COLUMNS = (
    "key, fingerprint, intent_id, request_id, created_at, thread_id, run_id, settled, "
    "status, fields, body"
)
_ONE = f"SELECT {_COLUMNS} FROM replies WHERE key = ?"
_PUT = f"INSERT OR REPLACE INTO replies ({_COLUMNS}) VALUES ({', '.join('?' * 11)})"
_DROP = "DELETE FROM replies WHERE key = ?"
_PRUNE = (
    "DELETE FROM replies WHERE rowid IN "
    "(SELECT rowid FROM replies WHERE created_at <= ? ORDER BY created_at LIMIT ?)"
)


class ReplyRows:
    """core.idempotency.ReplyTable over the writer's open transaction."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def reply(self, key: str) -> Reply | None:
        row = self._execute(_ONE, (key,)).fetchone()
        return None if row is None else _read(row)

    def put_reply(self, reply: Reply) -> None:
        self._execute(_PUT, _values(reply))

    def drop_reply(self, key: str) -> None:
        self._execute(_DROP, (key,))

    def prune(self, upto: Timestamp, limit: int) -> int:
        """Remove at most `limit` of those made at `upto` or before; how many went."""
        return self._execute(_PRUNE, (upto, limit)).rowcount


def _read(row: tuple[Any, ...]) -> Reply:
    *known, settled, status, fields, body = row
    key, fingerprint, intent_id, request_id, created_at, thread_id, run_id = known
    answer = None
    if status is not None:
        pairs = json.loads(fields)
        told = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
        answer = Answer(status=status, fields=told, body=body)
    return Reply(
        key=key,
        fingerprint=fingerprint,
        intent_id=intent_id,
        request_id=request_id,
        created_at=created_at,
        thread_id=thread_id,
        run_id=run_id,
        settled=bool(settled),
        answer=answer,
    )


def _values(reply: Reply) -> tuple[Any, ...]:
    answer = reply.answer
    told: tuple[Any, ...] = (None, None, None)
    if answer is not None:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.fields]
        told = (answer.status, json.dumps(pairs), answer.body)
    return (
        reply.key,
        reply.fingerprint,
        reply.intent_id,
        reply.request_id,
        reply.created_at,
        reply.thread_id,
        reply.run_id,
        int(reply.settled),
        *told,
    )
