"""The rows of one table within a transaction: read in bulk, changed in memory, written in bulk."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from .rows import Key, Table

T = TypeVar("T")

MOST = 32
"""Rows in one statement: of every size up to this one there is a prepared statement to be found
again, for each statement hands the interpreter over twice."""


class RowSet(Generic[T]):
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
        for part in parts(missing):
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
        for part in parts(list(self._dropped)):
            self._execute(self._table.delete_keys(len(part)), self._flat(part))
        self._write(self._table.insert, self._new)
        self._write(self._table.upsert, self._changed - self._new)
        self._dropped.clear()
        self._new.clear()
        self._changed.clear()

    def _flat(self, keys: Sequence[Key]) -> Sequence[Any]:
        return keys if len(self._table.key) == 1 else list(chain.from_iterable(keys))

    def _write(self, statement: Callable[[int], str], keys: Iterable[Key]) -> None:
        items = (self.known[key] for key in keys)
        for rows in parts([self._table.values(item) for item in items if item is not None]):
            self._execute(statement(len(rows)), list(chain.from_iterable(rows)))


def parts(items: Sequence[T]) -> Iterable[Sequence[T]]:
    """`items` in as few runs as there are statements for."""
    if len(items) <= MOST:
        return (items,) if items else ()
    return [items[start : start + MOST] for start in range(0, len(items), MOST)]
