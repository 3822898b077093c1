"""A map that forgets what was not asked for in a long time, and costs hardly more than a dict."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """Holds the last `size` entries that were set or looked up, and at most as many again.

    Entries are kept in two dicts: once the young one is full it becomes the old one, and what was
    the old one is gone. That is cheaper than an order of all entries would be.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: K) -> V | None:
        """None where it is not there, or is forgotten."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.set(key, found)
        return found

    def set(self, key: K, value: V) -> None:
        self._young[key] = value
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
