"""The twin of `keys` in memory."""

from collections.abc import Sequence
from dataclasses import replace

from ..core.keys import Key
from ..core.model import Timestamp
from ..errors import StoreRejected


class MemoryKeys:
    """ports.SupervisorKeys without its events."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def add(self, key: Key) -> None:
        if key.key_id in self._keys:
            raise StoreRejected("the store does not take this: the id of the key is taken")
        self._keys[key.key_id] = key

    def revoke(self, key_id: str, at: Timestamp) -> str | None:
        known = self._keys.get(key_id)
        if known is None or known.revoked_at is not None:
            return None
        self._keys[key_id] = replace(known, revoked_at=at)
        return known.name

    def every(self) -> Sequence[Key]:
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.key_id))

    def state(self) -> tuple[int, int]:
        revoked = sum(key.revoked_at is not None for key in self._keys.values())
        return len(self._keys), revoked
