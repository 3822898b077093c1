"""core.book's Ledger over an open SQLite transaction: one fixed statement each."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlite_utils import Database

from ..core.model import Event, Intent, Run, Task, Thread
from .rows import INTENTS, RUNS, TASKS, THREADS, Table, event_values

T = TypeVar("T")

_THREAD = THREADS.select("WHERE thread_id = ?")
_TASK = TASKS.select("WHERE task_id = ?")
_RUN = RUNS.select("WHERE run_id = ?")
_RUNS_OF_TASK = RUNS.select("WHERE task_id = ? ORDER BY position")
_INTENT = INTENTS.select("WHERE intent_id = ?")
_INTENTS_ON_THREAD = INTENTS.select("WHERE thread_id = ? ORDER BY created_at")
_PUT_THREAD = THREADS.upsert()
_PUT_TASK = TASKS.upsert()
_PUT_RUN = RUNS.upsert()
_PUT_INTENT = INTENTS.upsert()
_ADD_EVENT = (
    "INSERT INTO events (at, kind, task_id, run_id, status, detail) VALUES (?, ?, ?, ?, ?, ?)"
)


class SqliteLedger:
    """Reads and writes through the writer's connection, inside its open transaction."""

    def __init__(self, db: Database) -> None:
        self._execute = db.conn.cursor().execute

    def _one(self, table: Table[T], sql: str, key: str) -> T | None:
        row = self._execute(sql, (key,)).fetchone()
        return None if row is None else table.read(row)

    def _all(self, table: Table[T], sql: str, key: str) -> list[T]:
        rows: list[tuple[Any, ...]] = self._execute(sql, (key,)).fetchall()
        return [table.read(row) for row in rows]

    def thread(self, thread_id: str) -> Thread | None:
        return self._one(THREADS, _THREAD, thread_id)

    def put_thread(self, thread: Thread) -> None:
        self._execute(_PUT_THREAD, THREADS.values(thread))

    def task(self, task_id: str) -> Task | None:
        return self._one(TASKS, _TASK, task_id)

    def put_task(self, task: Task) -> None:
        self._execute(_PUT_TASK, TASKS.values(task))

    def drop_task(self, task_id: str) -> None:
        self._execute("DELETE FROM tasks WHERE task_id = ?", (task_id,))

    def run(self, run_id: str) -> Run | None:
        return self._one(RUNS, _RUN, run_id)

    def put_run(self, run: Run) -> None:
        self._execute(_PUT_RUN, RUNS.values(run))

    def runs(self, task_id: str) -> Sequence[Run]:
        return self._all(RUNS, _RUNS_OF_TASK, task_id)

    def intent(self, intent_id: str) -> Intent | None:
        return self._one(INTENTS, _INTENT, intent_id)

    def intents_on(self, thread_id: str) -> Sequence[Intent]:
        return self._all(INTENTS, _INTENTS_ON_THREAD, thread_id)

    def put_intent(self, intent: Intent) -> None:
        self._execute(_PUT_INTENT, INTENTS.values(intent))

    def drop_intent(self, intent_id: str) -> None:
        self._execute("DELETE FROM intents WHERE intent_id = ?", (intent_id,))

    def add_event(self, event: Event) -> None:
        self._execute(_ADD_EVENT, event_values(event))
