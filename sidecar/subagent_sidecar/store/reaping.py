"""What the reaper reads from SQLite and puts there: live tasks, and what was claimed."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from ..core.candidates import END, Candidate, ReapClaim
from ..core.model import RunStatus, TaskStatus, Timestamp
from ..core.policy import OnEnd
from .driver import sqlite3
from .tails import Execute

_SCHEMA = """
CREATE TABLE reaps (
    task_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    what TEXT NOT NULL,
    action TEXT NOT NULL,
    rule TEXT NOT NULL,
    at TEXT NOT NULL,
    closed_at TEXT,
    PRIMARY KEY (task_id, run_id, what)
) WITHOUT ROWID
"""
_ENDS = f"substr(what, 1, {len(END)}) = '{END}'"
_OPEN = f"{_ENDS} AND action = '{OnEnd.TERMINATE.value}' AND closed_at IS NULL"
_INDEX = f"CREATE INDEX reaps_to_terminate ON reaps (at) WHERE {_OPEN}"

_OVER = (
    "p.ended_at IS NOT NULL AND p.run_id IS NOT NULL "
    "AND NOT (p.status = 'success' AND p.thread_status = 'unseen')"
)
_STATUSES = {status.value: status for status in TaskStatus}
_RUN_STATUSES = {status.value: status for status in RunStatus}


def _one_of(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


# What another version wrote and this one cannot read is left out here, not when the page is there:
# a page that is not full is taken for the last one.
_CANDIDATES = f"""
    SELECT t.task_id, t.agent_name, t.supervisor, t.session_id, t.status, t.created_at, t.run_id,
        r.status, r.created_at, r.started_at, r.ended_at, t.depth, t.tree_id, t.parent_task_id,
        CASE WHEN {_OVER} THEN p.status END, CASE WHEN {_OVER} THEN p.ended_at END,
        t.polls, c.at IS NOT NULL
    FROM tasks t
    JOIN runs r ON r.task_id = t.task_id AND r.run_id = t.run_id
    LEFT JOIN tasks p ON p.task_id = t.parent_task_id
    LEFT JOIN reaps c ON c.task_id = t.task_id AND c.run_id = t.run_id
        AND c.what = CASE WHEN r.ended_at IS NULL THEN '{END}' ELSE '{END} ' || t.status END
    WHERE t.ended_at IS NULL AND t.upstream = ? AND (t.created_at, t.task_id) > (?, ?)
        AND t.status IN ({_one_of(_STATUSES)}) AND r.status IN ({_one_of(_RUN_STATUSES)})
    ORDER BY t.created_at, t.task_id LIMIT ?
"""
_CLAIMED = "SELECT 1 FROM reaps WHERE task_id = ? AND run_id = ? AND what = ?"
_CLAIM = "INSERT INTO reaps VALUES (?, ?, ?, ?, ?, ?, NULL)"
_CLOSE = f"UPDATE reaps SET closed_at = ? WHERE task_id = ? AND run_id = ? AND {_ENDS}"
_TO_TERMINATE = f"""
    SELECT tasks.upstream, open.task_id, open.run_id
    FROM (SELECT task_id, run_id, at FROM reaps WHERE {_OPEN}) AS open JOIN tasks USING (task_id)
    WHERE tasks.ended_at IS NOT NULL ORDER BY open.at LIMIT ?
"""


def create_reaps(db: Database) -> None:
    """The table, for the migration."""
    db.execute(_SCHEMA)
    db.execute(_INDEX)


def candidates(
    conn: sqlite3.Connection, upstream: str, after: tuple[Timestamp, str] | None, limit: int
) -> list[Candidate]:
    """See ports.Store."""
    rows = conn.execute(_CANDIDATES, (upstream, *(after or ("", "")), limit)).fetchall()
    return [_candidate(upstream, row) for row in rows]


def _candidate(upstream: str, row: Sequence[Any]) -> Candidate:
    return Candidate(
        task_id=row[0],
        upstream=upstream,
        agent_name=row[1],
        supervisor=row[2],
        session_id=row[3],
        status=_STATUSES[row[4]],
        created_at=row[5],
        run_id=row[6],
        run_status=_RUN_STATUSES[row[7]],
        run_created_at=row[8],
        run_started_at=row[9],
        run_ended_at=row[10],
        depth=row[11],
        tree_id=row[12],
        parent_task_id=row[13],
        parent_end=_STATUSES.get(row[14]),
        parent_ended_at=row[15],
        polls=row[16],
        claimed=bool(row[17]),
    )


def to_terminate(conn: sqlite3.Connection, limit: int) -> list[tuple[str, str, str]]:
    """See ports.Store."""
    return conn.execute(_TO_TERMINATE, (limit,)).fetchall()


def has_reap(execute: Execute, task_id: str, run_id: str, what: str) -> bool:
    """See core.ledger.Ledger."""
    return execute(_CLAIMED, (task_id, run_id, what)).fetchone() is not None


def put_reap(execute: Execute, claim: ReapClaim) -> None:
    """See core.ledger.Ledger."""
    reap = claim.reap
    execute(
        _CLAIM,
        (reap.task_id, reap.run_id, reap.what, reap.action.value, reap.rule, claim.at),
    )


def close_reap(execute: Execute, task_id: str, run_id: str, at: Timestamp) -> None:
    """See core.ledger.Ledger."""
    execute(_CLOSE, (at, task_id, run_id))
