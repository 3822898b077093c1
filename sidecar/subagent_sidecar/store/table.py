"""How values of one class lie in one table, and the fixed SQL that reads and writes them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]
Key = str | tuple[str, ...]
"""What tells a row from the others of its table: one column's value, or several."""


@dataclass(frozen=True)
class Write(Generic[T]):
    """A way to write rows: the statement for so many, and what a value is in it."""

    make: Callable[[int], str]
    values: Callable[[T], Iterable[Any]]
    _made: dict[int, str] = field(default_factory=dict)

    def sql(self, count: int) -> str:
        found = self._made.get(count)
        if found is None:
            found = self._made[count] = self.make(count)
        return found


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
    rare: Mapping[str, object] = field(default_factory=dict)
    """Columns in which new rows seldom have anything, and what they have there otherwise, which is
    what the column's default gives. The driver takes longest over what is nothing."""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in fields(self.cls))  # type: ignore[arg-type]

    @cached_property
    def _fields(self) -> Callable[[T], Row]:
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

    @cached_property
    def insert(self) -> Write[T]:
        """Rows that are not there."""
        return Write(lambda count: self._insert(self.columns, count), self._values)

    @cached_property
    def insert_plain(self) -> Write[T]:
        """Rows that are not there, and that are `plain`: without the rare columns."""
        usual = [column for column in self.columns if column not in self.rare]
        words = [f"{column}._value_" if self._is_word(column) else column for column in usual]
        return Write(lambda count: self._insert(usual, count), attrgetter(*words))

    @cached_property
    def upsert(self) -> Write[T]:
        """Rows that may be there: inserted, or brought up to date."""
        return Write(self._upsert, self._values)

    def plain(self, items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
        """Those that have nothing in rare columns but what stands there anyway; and the others."""
        if not self.rare:
            return (), items
        rare, nothing = self._rare, tuple(self.rare.values())
        plain = [item for item in items if rare(item) == nothing]
        if len(plain) == len(items):
            return plain, ()
        return plain, [item for item in items if rare(item) != nothing]

    @cached_property
    def _rare(self) -> Callable[[T], Row]:
        return attrgetter(*self.rare)

    def _insert(self, columns: Sequence[str], count: int) -> str:
        """OR FAIL: what fails rolls the whole transaction back anyway, so the statement needs no
        journal of its own."""
        marks = f"({', '.join('?' * len(columns))})"
        rows = ", ".join([marks] * count)
        return f"INSERT OR FAIL INTO {self.name} ({', '.join(columns)}) VALUES {rows}"

    def _upsert(self, count: int) -> str:
        changing = [c for c in self.columns if c not in self.frozen and c not in self.key]
        sets = ", ".join(f"{column} = excluded.{column}" for column in changing)
        key, insert = ", ".join(self.key), self._insert(self.columns, count)
        return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {sets}"

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
        return tuple(self.columns.index(column) for column in self.columns if self._is_word(column))

    def _is_word(self, column: str) -> bool:
        return column in self.readers and column not in self.writers

    def _values(self, item: T) -> list[Any]:
        row = list(self._fields(item))
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

    def read(self, row: Row) -> T:
        given = dict(zip(self.columns, row, strict=False))
        for column, reader in self.readers.items():
            given[column] = reader(given[column])
        return self.cls(**given)
