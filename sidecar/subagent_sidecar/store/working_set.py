"""core.ledger.Ledger over one transaction of many: read in bulk, decide in memory, write in bulk.

Every statement costs a hand-over of the interpreter between the writer's thread and the event
loop's, which is dearer than the statement. So the rows a group of jobs will ask for are read
before the first of them runs, and what they change is written after the last, a few statements
for the whole group. What was not foreseen is read one by one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

from sqlite_utils import Database

from ..core.changes import (
    Accepted,
    Change,
    Doubted,
    Polled,
    Released,
    Start,
    ThreadCreated,
    UsageSeen,
)
from ..core.model import Event, Intent, Run, Task, Thread, UsageEntry, in_order
from . import pruning
from .rows import EVENTS_INSERT, INTENTS, RUNS, TASKS, THREADS, USAGE, Key, Table, event_values
from .tails import enter_tails

T = TypeVar("T")

_SIZES = (32, 16, 8, 4, 2, 1)
"""Rows in one statement; a fixed few, so that prepared statements are found again."""

_RUNS_OF_TASK = RUNS.select("WHERE task_id = ?")
_INTENTS_ON_THREAD = INTENTS.select("WHERE thread_id = ?")


@dataclass(slots=True)
class Touches:
    """The rows a job is going to ask for, as far as can be told before."""

    threads: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    runs: set[tuple[str, str]] = field(default_factory=set)
    usage: set[tuple[str, str]] = field(default_factory=set)
    new_intents: set[str] = field(default_factory=set)
    """Not to be read: their ids were made just now."""

    def start(self, start: Start) -> None:
        """Add what `admission.admit` reads and makes."""
        self.new_intents.add(start.intent_id)
        if start.thread_id is not None:
            self.threads.add(start.thread_id)
            self.tasks.add(start.thread_id)
        if (session := start.header_session or start.body_session) is not None:
            self.tasks.add(session)

    def changes(self, changes: Iterable[Change]) -> None:
        """Add what `book.apply` reads."""
        for change in changes:
            match change:
                case Accepted():
                    self.tasks.update(run.thread_id for run in change.runs)
                    self.runs.update((run.thread_id, run.run_id) for run in change.runs)
                case UsageSeen():
                    self.tasks.add(change.thread_id)
                    self.usage.update((e.task_id, e.message_id) for e in change.entries)
                case Polled():
                    self.tasks.add(change.task_id)
                case ThreadCreated():
                    self.threads.add(change.thread.thread_id)
                case Released() | Doubted():
                    if change.intent.thread_id is not None:
                        self.tasks.add(change.intent.thread_id)
                case _:
                    self.tasks.add(change.thread_id)
                    if (run_id := getattr(change, "run_id", None)) is not None:
                        self.runs.add((change.thread_id, run_id))


class _Rows(Generic[T]):
    """The rows of one table that are in memory. None stands for "there is no such row"."""

    def __init__(self, table: Table[T], cursor: Any) -> None:
        self._table = table
        self._execute = cursor.execute
        self.known: dict[Key, T | None] = {}
        self._changed: set[Key] = set()
        self._new: set[Key] = set()
        self._dropped: set[Key] = set()

    def load(self, keys: Iterable[Key]) -> None:
        missing = [key for key in keys if key not in self.known]
        for part in _parts(missing):
            self.known.update(dict.fromkeys(part))
            found = self._execute(self._table.select_keys(len(part)), self._flat(part))
            for row in found.fetchall():
                self.keep(row)

    def keep(self, row: tuple[Any, ...]) -> None:
        item = self._table.read(row)
        key = self._table.key_of(item)
        if self.known.get(key) is None and key not in self._changed:
            self.known[key] = item

    def get(self, key: Key) -> T | None:
        if key not in self.known:
            self.load((key,))
        return self.known[key]

    def put(self, item: T) -> None:
        key = self._table.key_of(item)
        if self.known.get(key, item) is None:
            self._new.add(key)
        self.known[key] = item
        self._changed.add(key)

    def drop(self, key: Key) -> None:
        self.known[key] = None
        self._changed.add(key)
        self._dropped.add(key)

    def present(self) -> list[T]:
        return [item for item in self.known.values() if item is not None]

    def flush(self) -> None:
        # What was dropped and made anew has to go first: an upsert would keep its frozen columns.
        for part in _parts(list(self._dropped)):
            self._execute(self._table.delete_keys(len(part)), self._flat(part))
        self._write(self._table.insert, self._new)
        self._write(self._table.upsert, self._changed - self._new)

    def _flat(self, keys: Sequence[Key]) -> Sequence[Any]:
        return keys if len(self._table.key) == 1 else list(chain.from_iterable(keys))

    def _write(self, statement: Callable[[int], str], keys: Iterable[Key]) -> None:
        items = (self.known[key] for key in keys)
        for rows in _parts([self._table.values(item) for item in items if item is not None]):
            self._execute(statement(len(rows)), list(chain.from_iterable(rows)))


def _parts(items: Sequence[T]) -> Iterable[Sequence[T]]:
    """`items` in runs of the fixed sizes."""
    start = 0
    for size in _SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


class WorkingSet:
    """The Ledger of one open transaction; `flush` before the commit."""

    def __init__(self, db: Database, touches: Touches) -> None:
        cursor = db.conn.cursor()
        self._execute = cursor.execute
        self._threads = _Rows(THREADS, cursor)
        self._tasks = _Rows(TASKS, cursor)
        self._runs = _Rows(RUNS, cursor)
        self._intents = _Rows(INTENTS, cursor)
        self._usage = _Rows(USAGE, cursor)
        self._events: list[tuple[Any, ...]] = []
        self._threads.load(touches.threads)
        self._tasks.load(touches.tasks)
        for key in touches.runs:
            if self._tasks.known[key[0]] is None:  # no task, no runs
                self._runs.known[key] = None
        self._runs.load(touches.runs)
        self._intents.known.update(dict.fromkeys(touches.new_intents))
        self._usage.load(touches.usage)

    def thread(self, thread_id: str) -> Thread | None:
        return self._threads.get(thread_id)

    def put_thread(self, thread: Thread) -> None:
        self._threads.put(thread)

    def task(self, task_id: str) -> Task | None:
        return self._tasks.get(task_id)

    def put_task(self, task: Task) -> None:
        self._tasks.put(task)

    def run(self, task_id: str, run_id: str) -> Run | None:
        return self._runs.get((task_id, run_id))

    def put_run(self, run: Run) -> None:
        self._runs.put(run)

    def runs(self, task_id: str) -> Sequence[Run]:
        for row in self._execute(_RUNS_OF_TASK, (task_id,)).fetchall():
            self._runs.keep(row)
        return in_order(run for run in self._runs.present() if run.task_id == task_id)

    def intent(self, intent_id: str) -> Intent | None:
        return self._intents.get(intent_id)

    def intents_on(self, thread_id: str) -> Sequence[Intent]:
        for row in self._execute(_INTENTS_ON_THREAD, (thread_id,)).fetchall():
            self._intents.keep(row)
        mine = [intent for intent in self._intents.present() if intent.thread_id == thread_id]
        return sorted(mine, key=lambda intent: (intent.created_at, intent.intent_id))

    def put_intent(self, intent: Intent) -> None:
        self._intents.put(intent)

    def drop_intent(self, intent_id: str) -> None:
        self._intents.drop(intent_id)

    def usage(self, task_id: str, message_id: str) -> UsageEntry | None:
        return self._usage.get((task_id, message_id))

    def put_usage(self, entry: UsageEntry) -> None:
        self._usage.put(entry)

    def add_event(self, event: Event) -> None:
        self._events.append(event_values(event))

    def enter_tails(self) -> bool:
        """See tails.enter_tails."""
        return enter_tails(self._execute)

    def prune_tasks(self, ids: Sequence[str], before: str) -> int:
        """See pruning.prune_tasks. What this group has looked at is left for another time: it may
        be about to change, and what was read must not go."""
        return pruning.prune_tasks(self._execute, self._not_read(ids), before)

    def prune_events(self, numbers: Sequence[int]) -> int:
        """See pruning.prune_events."""
        return pruning.prune_events(self._execute, numbers)

    def prune_threads(self, ids: Sequence[str], before: str) -> int:
        """See pruning.prune_threads; `prune_tasks` for what is left."""
        return pruning.prune_threads(self._execute, self._not_read(ids), before)

    def _not_read(self, ids: Sequence[str]) -> list[str]:
        read = self._tasks.known.keys() | self._threads.known.keys()
        return [each for each in ids if each not in read]

    def flush(self) -> None:
        """Write what changed."""
        for rows in (self._threads, self._tasks, self._runs, self._intents, self._usage):
            rows.flush()
        for part in _parts(self._events):
            self._execute(EVENTS_INSERT[len(part)], list(chain.from_iterable(part)))
