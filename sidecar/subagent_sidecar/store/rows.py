"""Rows of the books as values, and the fixed SQL that reads and writes them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from ..core.model import (
    EndedBy,
    Event,
    Intent,
    IntentKind,
    Item,
    Run,
    RunStatus,
    Task,
    TaskStatus,
    Thread,
    ThreadStatus,
    UsageEntry,
)
from ..core.sessions import Session
from ..core.sums import Sum

T = TypeVar("T")
_Row = tuple[Any, ...]
Key = str | tuple[str, ...]
"""What tells a row from the others of its table: one column's value, or several."""


def _ended_by(text: str | None) -> EndedBy | None:
    return None if text is None else EndedBy(text)


def _read_items(text: str | None) -> tuple[Item, ...]:
    return () if text is None else msgspec.json.decode(text, type=tuple[Item, ...])


def _write_items(items: tuple[Item, ...]) -> str | None:
    return msgspec.json.encode(items).decode() if items else None


@dataclass(frozen=True)
class Table(Generic[T]):
    """How values of one class lie in one table.

    `frozen` columns are set when the row is made and never changed: updates leave them, and with
    them most indexes, alone.
    """

    name: str
    cls: type[T]
    key: tuple[str, ...]
    frozen: frozenset[str]
    readers: Mapping[str, Callable[[Any], Any]]
    writers: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """Of columns that do not hold what the field holds, nor the text of a word."""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in fields(self.cls))  # type: ignore[arg-type]

    @cached_property
    def _plain(self) -> Callable[[T], _Row]:
        return attrgetter(*self.columns)

    def select(self, rest: str) -> str:
        columns = ", ".join(f"{self.name}.{column}" for column in self.columns)
        return f"SELECT {columns} FROM {self.name} {rest}"

    def select_keys(self, count: int) -> str:
        """The rows with one of `count` keys."""
        return self._cached("select", count, self._select_keys)

    def _select_keys(self, count: int) -> str:
        return self.select(self._where_key_in(count))

    def delete_keys(self, count: int) -> str:
        return self._cached("delete", count, self._delete_keys)

    def _delete_keys(self, count: int) -> str:
        return f"DELETE FROM {self.name} {self._where_key_in(count)}"

    def _where_key_in(self, count: int) -> str:
        if len(self.key) == 1:
            return f"WHERE {self.key[0]} IN ({', '.join('?' * count)})"
        marks = f"({', '.join('?' * len(self.key))})"
        return f"WHERE ({', '.join(self.key)}) IN (VALUES {', '.join([marks] * count)})"

    def insert(self, count: int) -> str:
        """Insert `count` rows that are not there. OR FAIL: what fails rolls the whole transaction
        back anyway, so the statement needs no journal of its own."""
        return self._cached("insert", count, self._insert)

    def _insert(self, count: int) -> str:
        marks = f"({', '.join('?' * len(self.columns))})"
        rows = ", ".join([marks] * count)
        return f"INSERT OR FAIL INTO {self.name} ({', '.join(self.columns)}) VALUES {rows}"

    def upsert(self, count: int) -> str:
        """Insert `count` rows, or bring them up to date."""
        return self._cached("upsert", count, self._upsert)

    def _upsert(self, count: int) -> str:
        changing = [c for c in self.columns if c not in self.frozen and c not in self.key]
        sets = ", ".join(f"{column} = excluded.{column}" for column in changing)
        return f"{self._insert(count)} ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {sets}"

    def _cached(self, what: str, count: int, make: Callable[[int], str]) -> str:
        found = self._statements.get((what, count))
        if found is None:
            found = self._statements[what, count] = make(count)
        return found

    @cached_property
    def _statements(self) -> dict[tuple[str, int], str]:
        return {}

    @cached_property
    def key_of(self) -> Callable[[T], Key]:
        return attrgetter(*self.key)

    @cached_property
    def _words(self) -> tuple[int, ...]:
        words = (column for column in self.readers if column not in self.writers)
        return tuple(self.columns.index(column) for column in words)

    def values(self, item: T) -> list[Any]:
        row = list(self._plain(item))
        for position in self._words:
            if row[position] is not None:
                # SQLite's driver takes a slow way round for subclasses of str, and `value` another.
                row[position] = row[position]._value_
        for position, write in self._written:
            row[position] = write(row[position])
        return row

    @cached_property
    def _written(self) -> Sequence[tuple[int, Callable[[Any], Any]]]:
        return [(self.columns.index(column), write) for column, write in self.writers.items()]

    def read(self, row: _Row) -> T:
        given = dict(zip(self.columns, row, strict=False))
        for column, reader in self.readers.items():
            given[column] = reader(given[column])
        return self.cls(**given)


THREADS = Table(
    name="threads",
    cls=Thread,
    key=("thread_id",),
    frozen=frozenset({"created_at"}),
    readers={},
)
TASKS = Table(
    name="tasks",
    cls=Task,
    key=("task_id",),
    frozen=frozenset(
        {
            "upstream",
            "agent_name",
            "session_id",
            "supervisor",
            "created_at",
            "assistant_id",
            "parent_task_id",
            "depth",
            "purpose",
            "tree_id",
            "trace_parent",
        }
    ),
    readers={"status": TaskStatus, "thread_status": ThreadStatus, "ended_by": _ended_by},
)
RUNS = Table(
    name="runs",
    cls=Run,
    key=("task_id", "run_id"),
    frozen=frozenset(
        {
            "created_at",
            "assistant_id",
            "strategy",
            "fingerprint",
            "admitted",
            "agent_name",
            "counted_at",
        }
    ),
    readers={"status": RunStatus, "cancel_asked_by": _ended_by, "settled": bool},
    writers={"settled": int},
)
INTENTS = Table(
    name="intents",
    cls=Intent,
    key=("intent_id",),
    frozen=frozenset({"request_id", "created_at", "thread_id", "trace_parent"}),
    readers={"kind": IntentKind, "items": _read_items},
    writers={"items": _write_items},
)
USAGE = Table(
    name="usage",
    cls=UsageEntry,
    key=("task_id", "message_id"),
    frozen=frozenset({"run_id", "at"}),
    readers={},
)
SESSIONS = Table(
    name="sessions",
    cls=Session,
    key=("supervisor", "session_id"),
    frozen=frozenset(),
    readers={"ended_by": _ended_by},
)
SUMS = Table(
    name="sums",
    cls=Sum,
    key=("day", "supervisor", "agent_name", "upstream", "status", "model"),
    frozen=frozenset(),
    readers={},
)
_EVENT = "(?, ?, ?, ?, ?, ?)"
EVENTS_INSERT = {
    count: "INSERT INTO events (at, kind, task_id, run_id, status, detail) VALUES "
    + ", ".join([_EVENT] * count)
    for count in range(1, 33)
}
EVENT_COLUMNS = "at, kind, task_id, run_id, status, detail, seq"


def event_values(event: Event) -> _Row:
    detail = json.dumps(dict(event.detail)) if event.detail else "{}"
    status = None if event.status is None else str(event.status)
    return (event.at, event.kind, event.task_id, event.run_id, status, detail)


def read_event(row: _Row) -> Event:
    at, kind, task_id, run_id, status, detail, seq = row
    return Event(
        at=at,
        kind=kind,
        task_id=task_id,
        run_id=run_id,
        status=status,
        detail=json.loads(detail),
        seq=seq,
    )
