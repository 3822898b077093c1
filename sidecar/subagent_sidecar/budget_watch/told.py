"""Which thresholds were told of already: each budget, scope and window is told once.

A window slides. So what was told is told again at the earliest when a whole window has passed; and
when the budget was raised, since that moves its thresholds.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ..core.changes import Told
from ..core.model import Event
from ..core.units import duration
from ..core.verdict import Check

KINDS = {
    "budget_near": Told.NEAR,
    "budget_exhausted": Told.EXHAUSTED,
    "would_cancel": Told.WOULD_CANCEL,
}
"""The events that say so."""

_MOST = 10_000

_Key = tuple[Told, str, str, str, int]
"""What was told, the rule, the amount, the scope's id, and the limit as it was."""


class ToldAlready:
    """Remembers, within bounds, and learns from the record what was told before it was made."""

    def __init__(self) -> None:
        self._again: dict[_Key, datetime | None] = {}

    def knows(self, told: Told, check: Check, now: datetime) -> bool:
        """Whether this was told, and not so long ago that it is to be told again."""
        key = _key(told, check)
        if key not in self._again:
            return False
        again = self._again[key]
        return again is None or now < again

    def enter(self, told: Told, check: Check, now: datetime) -> None:
        """It is told now."""
        self._enter(_key(told, check), None if check.window is None else now + check.window)

    def learn(self, events: Iterable[Event]) -> None:
        """What the record says was told; the oldest event first."""
        for event in events:
            detail = event.detail
            try:
                key = (
                    KINDS[event.kind],
                    str(detail["rule"]),
                    str(detail["what"]),
                    str(detail["scope_id"]),
                    int(detail["limit"]),
                )
                window: timedelta | None = None
                if detail.get("window") is not None:
                    window = duration(detail["window"])
            except (KeyError, ValueError, TypeError):
                continue  # of another version
            at = datetime.fromisoformat(event.at)
            self._enter(key, None if window is None else at + window)

    def _enter(self, key: _Key, again: datetime | None) -> None:
        before = self._again.pop(key, again)
        later = None if before is None or again is None else max(before, again)
        self._again[key] = later
        if len(self._again) > _MOST:
            del self._again[next(iter(self._again))]


def _key(told: Told, check: Check) -> _Key:
    return told, check.rule, check.what, check.scope_id or "", check.limit
