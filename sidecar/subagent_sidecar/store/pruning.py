"""Removing old records from SQLite, a few at a time.

Candidates are looked for by a reader, which keeps nobody waiting; the writer looks at each again
in the transaction that removes it. Freed pages are used again; the file does not shrink.

What must stay: the newest event and the newest task, for numbers and rowids go on from the
greatest there is (see migrations.py), and a number given out twice would make a reader that
resumes miss an event, and a task miss its tail.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import chain
from typing import Any, Protocol, TypeVar

from ..core.sessions import SessionKey
from .driver import sqlite3
from .tails import Execute
from .whole import decisions_gone

T = TypeVar("T")

_STRETCH = 2_000
"""Events and threads looked at in one go."""

_LIVE_PARENTS = "SELECT parent_task_id FROM tasks WHERE ended_at IS NULL AND parent_task_id NOTNULL"
_IN_INTENTS = (
    "SELECT thread_id FROM intents WHERE thread_id NOTNULL "
    "UNION ALL SELECT parent_task_id FROM intents WHERE parent_task_id NOTNULL"
)
_LIVE_PARENT = "SELECT 1 FROM tasks p WHERE p.task_id = tasks.parent_task_id AND p.ended_at IS NULL"
_AT_LARGE = "SELECT task_id FROM runs WHERE cancel_unconfirmed_at IS NOT NULL"
_PRUNABLE = f"""
    ended_at < ?
    AND task_id NOT IN ({_AT_LARGE})
    AND task_id NOT IN ({_LIVE_PARENTS})
    AND task_id NOT IN ({_IN_INTENTS})
    AND NOT EXISTS ({_LIVE_PARENT})
    AND tasks.rowid < (SELECT max(rowid) FROM tasks)
    AND task_id IS NOT (SELECT task_id FROM events ORDER BY seq DESC LIMIT 1)"""
_OLDEST = f"SELECT task_id FROM tasks WHERE {_PRUNABLE} ORDER BY ended_at LIMIT ?"

_COUNTS = (
    "tasks, runs, messages, unpriced, input_tokens, output_tokens, cache_read_tokens, "
    "cache_write_tokens, cost_micro_usd"
)
_SUM = (
    "INSERT INTO sums (day, supervisor, agent_name, upstream, status, model, "
    f"{_COUNTS}) SELECT substr(tasks.ended_at, 1, 10), supervisor, agent_name, upstream, status, "
)
_GROUP = (
    "GROUP BY 1, 2, 3, 4, 5, 6 ON CONFLICT (day, supervisor, agent_name, upstream, status, model) "
    "DO UPDATE SET " + ", ".join(f"{c} = {c} + excluded.{c}" for c in _COUNTS.split(", "))
)
_RUNS = "SELECT count(*) FROM runs WHERE runs.task_id = tasks.task_id"
_SUM_TASKS = f"{_SUM} '', count(*), sum(({_RUNS})), 0, 0, 0, 0, 0, 0, 0 FROM tasks"
_SUM_USAGE = (
    f"{_SUM} coalesce(model, ''), 0, 0, count(*), count(*) - count(cost_micro_usd), "
    "sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens), "
    "coalesce(sum(cost_micro_usd), 0) FROM tasks JOIN usage ON usage.task_id = tasks.task_id"
)
_NUMBERS = "SELECT max(seq) FROM events"
_MARK = "UPDATE progress SET value = max(value, ?) WHERE name = 'pruned'"

_SOME_EVENTS = (
    "SELECT seq, at < ?, NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = events.task_id) "
    f"FROM events WHERE seq > ? ORDER BY seq LIMIT {_STRETCH}"
)
_LOOSE = """
    AND seq < (SELECT max(seq) FROM events)
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = events.task_id)"""

_SOME_THREADS = (
    "SELECT thread_id, created_at < ?, NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = thread_id) "
    f"FROM threads WHERE thread_id > ? ORDER BY thread_id LIMIT {_STRETCH}"
)
_SAID = "max(coalesce(last_beat_at, ''), coalesce(ended_at, ''))"
_TASKLESS = (
    "NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.session_id = sessions.session_id "
    "AND tasks.supervisor = sessions.supervisor)"
)
_SOME_SESSIONS = (
    f"SELECT supervisor, session_id, {_SAID} < ? AND {_TASKLESS} FROM sessions "
    "WHERE (supervisor, session_id) > (?, ?) "
    f"ORDER BY supervisor, session_id LIMIT {_STRETCH}"
)
_SOME_DECISIONS = (
    "SELECT seq, at < ?, thread_id IS NULL "
    "OR NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = decisions.thread_id) "
    f"FROM decisions WHERE seq > ? ORDER BY seq LIMIT {_STRETCH}"
)
_OF_NO_TASK = """
    AND seq < (SELECT max(seq) FROM decisions)
    AND (thread_id IS NULL
        OR NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = decisions.thread_id))"""
_IDLE = f"""
    AND created_at < ? AND thread_id NOT IN ({_IN_INTENTS})
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = thread_id)"""


def prune_tasks(execute: Execute, ids: Sequence[str], before: str) -> int:
    """Remove those of the tasks that may go, and all that is on record about them; their sums
    stay. Returns how many went."""
    found = execute(f"SELECT task_id FROM tasks WHERE task_id IN {_marks(ids)} AND {_PRUNABLE}",
                    (*ids, before)).fetchall()  # fmt: skip
    gone = [row[0] for row in found]
    if not gone:
        return 0
    these = f"IN {_marks(gone)}"
    execute(f"{_SUM_TASKS} WHERE tasks.task_id {these} {_GROUP}", gone)
    execute(f"{_SUM_USAGE} WHERE tasks.task_id {these} {_GROUP}", gone)
    newest = execute(f"{_NUMBERS} WHERE task_id {these}", gone).fetchone()[0]
    execute(_MARK, (newest or 0,))
    execute(f"DELETE FROM tails WHERE tail {these}", [task_id[::-1] for task_id in gone])
    for table, column in (
        ("events", "task_id"),
        ("usage", "task_id"),
        ("runs", "task_id"),
        ("reaps", "task_id"),
        ("threads", "thread_id"),
        ("tasks", "task_id"),
    ):
        execute(f"DELETE FROM {table} WHERE {column} {these}", gone)
    return len(gone)


def prune_events(execute: Execute, numbers: Sequence[int]) -> int:
    """Remove those of the events that no task has."""
    where = f"WHERE seq IN {_marks(numbers)} {_LOOSE}"
    newest = execute(f"{_NUMBERS} {where}", numbers).fetchone()[0]
    execute(_MARK, (newest or 0,))
    return execute(f"DELETE FROM events {where}", numbers).rowcount


def prune_threads(execute: Execute, ids: Sequence[str], before: str) -> int:
    """Remove those of the threads that nothing was ever started on."""
    sql = f"DELETE FROM threads WHERE thread_id IN {_marks(ids)} {_IDLE}"
    return execute(sql, (*ids, before)).rowcount


def prune_decisions(execute: Execute, numbers: Sequence[int]) -> int:
    """Remove those of the decisions whose task is gone, or never was; but never the newest."""
    where = f"WHERE seq IN {_marks(numbers)} {_OF_NO_TASK}"
    newest = execute(f"SELECT max(at) FROM decisions {where}", numbers).fetchone()[0]
    if newest is not None:
        decisions_gone(execute, newest)
    return execute(f"DELETE FROM decisions {where}", numbers).rowcount


def prune_sessions(execute: Execute, keys: Sequence[SessionKey], before: str) -> int:
    """Remove those of the sessions that have no tasks and said nothing since."""
    marks = ", ".join(["(?, ?)"] * len(keys))
    where = f"(supervisor, session_id) IN (VALUES {marks}) AND {_SAID} < ? AND {_TASKLESS}"
    return execute(f"DELETE FROM sessions WHERE {where}", (*chain(*keys), before)).rowcount


def _marks(keys: Collection[object]) -> str:
    return f"({', '.join('?' * len(keys))})"


class Rows(Protocol):
    """The open transaction of the writer."""

    def prune_tasks(self, ids: Sequence[str], before: str) -> int: ...
    def prune_events(self, numbers: Sequence[int]) -> int: ...
    def prune_threads(self, ids: Sequence[str], before: str) -> int: ...
    def prune_decisions(self, numbers: Sequence[int]) -> int: ...
    def prune_sessions(self, keys: Sequence[SessionKey], before: str) -> int: ...


Read = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]
Write = Callable[[Callable[[Any], int]], Awaitable[int]]


class Pruner:
    """Finds what is old by `read`, and has it removed by `write`.

    No index tells which events and threads belong to no task: they are walked through, the events
    once, the threads, whose ids say nothing of their age, from the beginning each time; so are the
    decisions, for they do not go with their task: few old ones are left.
    """

    def __init__(self, read: Read, write: Write) -> None:
        self._read = read
        self._write = write
        self._event = 0
        self._thread = ""
        self._decision = 0
        self._session: SessionKey = ("", "")

    async def prune(self, before: str, limit: int) -> int:
        """See ports.Store: tasks first, then what belongs to none."""
        return (
            await self._tasks(before, limit)
            or await self._events(before, limit)
            or await self._threads(before, limit)
            or await self._decisions(before, limit)
            or await self._sessions(before, limit)
        )

    async def _tasks(self, before: str, limit: int) -> int:
        found = await self._rows(_OLDEST, before, limit)
        ids = [row[0] for row in found]
        return await self._write(lambda rows: rows.prune_tasks(ids, before)) if ids else 0

    async def _events(self, before: str, limit: int) -> int:
        while seen := [r for r in await self._rows(_SOME_EVENTS, before, self._event) if r[1]]:
            loose = [number for number, _, is_loose in seen if is_loose][:limit]
            removed = await self._write(_events(loose)) if loose else 0
            self._event = loose[-1] if len(loose) == limit else seen[-1][0]
            if removed:
                return removed
        return 0

    async def _threads(self, before: str, limit: int) -> int:
        while seen := await self._rows(_SOME_THREADS, before, self._thread):
            idle = [thread_id for thread_id, is_old, is_idle in seen if is_old and is_idle][:limit]
            removed = await self._write(_threads(idle, before)) if idle else 0
            self._thread = idle[-1] if len(idle) == limit else seen[-1][0]
            if removed:
                return removed
        self._thread = ""
        return 0

    async def _decisions(self, before: str, limit: int) -> int:
        while seen := [
            r for r in await self._rows(_SOME_DECISIONS, before, self._decision) if r[1]
        ]:
            loose = [number for number, _, is_loose in seen if is_loose][:limit]
            removed = await self._write(_decisions(loose)) if loose else 0
            self._decision = loose[-1] if len(loose) == limit else seen[-1][0]
            if removed:
                return removed
        self._decision = 0
        return 0

    async def _sessions(self, before: str, limit: int) -> int:
        while seen := await self._rows(_SOME_SESSIONS, before, *self._session):
            idle = [(who, name) for who, name, is_idle in seen if is_idle][:limit]
            removed = await self._write(_sessions(idle, before)) if idle else 0
            self._session = idle[-1] if len(idle) == limit else tuple(seen[-1][:2])
            if removed:
                return removed
        self._session = ("", "")
        return 0

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        found: list[Any] = await self._read(lambda conn: conn.execute(sql, values).fetchall())
        return found


def _events(numbers: Sequence[int]) -> Callable[[Rows], int]:
    return lambda rows: rows.prune_events(numbers)


def _decisions(numbers: Sequence[int]) -> Callable[[Rows], int]:
    return lambda rows: rows.prune_decisions(numbers)


def _threads(ids: Sequence[str], before: str) -> Callable[[Rows], int]:
    return lambda rows: rows.prune_threads(ids, before)


def _sessions(keys: Sequence[SessionKey], before: str) -> Callable[[Rows], int]:
    return lambda rows: rows.prune_sessions(keys, before)
