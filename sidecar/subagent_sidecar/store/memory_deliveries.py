"""The twin of `deliveries` in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..core.model import Timestamp
from ..core.push.deliveries import Delivery


class MemoryDeliveries:
    """ports.Deliveries without its places."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], Delivery] = {}

    def enter(self, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            self._waiting.setdefault((each.target, each.seq), each)

    def next_due(self, target: str) -> Timestamp | None:
        return min((each.next_at for each in self._of(target)), default=None)

    def claim(
        self, target: str, now: Timestamp, until: Timestamp, limit: int
    ) -> Sequence[Delivery]:
        due = [each for each in self._of(target) if each.next_at <= now]
        due.sort(key=lambda each: (each.next_at, each.seq))
        claimed = [replace(each, next_at=until, attempts=each.attempts + 1) for each in due[:limit]]
        for each in claimed:
            self._waiting[each.target, each.seq] = each
        return claimed

    def settle(self, delivery: Delivery, again: Timestamp | None) -> None:
        key = delivery.target, delivery.seq
        known = self._waiting.get(key)
        if known is None or known.attempts != delivery.attempts:
            return
        if again is None:
            del self._waiting[key]
        else:
            self._waiting[key] = replace(known, next_at=again)

    def drop(self, before: Timestamp) -> dict[str, int]:
        old = [key for key, each in self._waiting.items() if each.at < before]
        for key in old:
            del self._waiting[key]
        return dict(sorted(Counter(target for target, _ in old).items()))

    def count(self) -> dict[str, int]:
        return dict(sorted(Counter(target for target, _ in self._waiting).items()))

    def _of(self, target: str) -> list[Delivery]:
        return [each for each in self._waiting.values() if each.target == target]
