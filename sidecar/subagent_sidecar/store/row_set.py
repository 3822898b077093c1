"""The rows of one table within a transaction: read in bulk, changed in memory, written in bulk."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

from .table import Key, Table, Write

T = TypeVar("T")

MOST = 32
"""Rows in one statement: of every size up to this one there is a prepared statement to be found
again, for each statement hands the interpreter over twice."""


class RowSet(dict[Key, T | None]):
    """The rows of one table that are in memory, by key. None stands for "there is no such row".

    A dict of its own making: what is in memory, which is nearly everything that is asked for, is
    found without a call in Python; a key that was not foreseen is read when it is asked for.
    """

    def __init__(self, table: Table[T], cursor: Any) -> None:
        self._table = table
        self._key_of = table.key_of
        self._execute = cursor.execute
        # Ordered sets: rows are written in the order in which they came about, which is that of
        # most indexes.
        self._changed: dict[Key, None] = {}
        self.new: dict[Key, None] = {}
        self._dropped: dict[Key, None] = {}

    def __missing__(self, key: Key) -> T | None:
        self.load((key,))
        return self[key]

    def load(self, keys: Iterable[Key]) -> None:
        missing = [key for key in keys if key not in self]
        for part in parts(missing):
            self.update(dict.fromkeys(part))
            found = self._execute(self._table.select_keys(len(part)), self._flat(part))
            for row in found.fetchall():
                self.keep(row)

    def keep(self, row: tuple[Any, ...]) -> None:
        item = self._table.read(row)
        key = self._key_of(item)
        if self.get(key) is None and key not in self._dropped:
            self[key] = item

    def put(self, item: T) -> None:
        key = self._key_of(item)
        if self.get(key, item) is None:
            self.new[key] = None
        else:
            self._changed[key] = None
        self[key] = item

    def drop(self, key: Key) -> None:
        self[key] = None
        self._dropped[key] = None

    def present(self) -> list[T]:
        return [item for item in self.values() if item is not None]

    def flush(self) -> None:
        # What was dropped and made anew has to go first: an upsert would keep its frozen columns.
        if self._dropped:
            for part in parts(list(self._dropped)):
                self._execute(self._table.delete_keys(len(part)), self._flat(part))
        if self.new:
            self._insert(self._there(self.new))
        if self._changed:
            self._write(self._table.upsert, self._there(self._changed.keys() - self.new.keys()))
        self._dropped.clear()
        self.new.clear()
        self._changed.clear()

    def _there(self, keys: Iterable[Key]) -> list[T]:
        return [item for key in keys if (item := self[key]) is not None]

    def _insert(self, items: Sequence[T]) -> None:
        plain, others = self._table.plain(items)
        self._write(self._table.insert_plain, plain)
        self._write(self._table.insert, others)

    def _flat(self, keys: Sequence[Key]) -> Sequence[Any]:
        return keys if len(self._table.key) == 1 else list(chain.from_iterable(keys))

    def _write(self, statement: Write[T], items: Sequence[T]) -> None:
        for part in parts(items):
            values = chain.from_iterable(map(statement.values, part))
            self._execute(statement.sql(len(part)), list(values))


def parts(items: Sequence[T]) -> Iterable[Sequence[T]]:
    """`items` in as few runs as there are statements for."""
    if len(items) <= MOST:
        return (items,) if items else ()
    return [items[start : start + MOST] for start in range(0, len(items), MOST)]
