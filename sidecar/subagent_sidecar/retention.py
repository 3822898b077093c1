"""Forgets finished tasks that are older than the operator wants to keep.

What is forgotten cannot be brought back, and how old a task is only the wall clock tells. So the
clock needs a witness before anything goes:

- While the process runs it is the monotonic clock: two looks an interval apart must find that both
  moved alike. A wall clock that jumped ahead prunes nothing until it has run evenly for as long.
- At start-up there is nothing to compare with, so the record itself is the witness: time cannot be
  before its newest event, and what is old by the time of that event is old.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from .core.feed import EventQuery
from .core.model import timestamp
from .errors import StoreError
from .ports import Clock, Store

_log = logging.getLogger(__name__)

_AT_ONCE = 20
_PAUSE_S = 0.1
"""Between two batches: a start that has to wait for one finds the writer idle after it."""

_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class _Look:
    """What both clocks said in one moment."""

    wall: datetime
    monotonic: float

    def agrees_with(self, earlier: "_Look") -> bool:
        """Whether both clocks have moved about as much since `earlier`."""
        passed = self.monotonic - earlier.monotonic
        jumped = (self.wall - earlier.wall).total_seconds() - passed
        return abs(jumped) <= passed * _TOLERANCE


class Retention:
    """`keep`: how long finished tasks stay. A first pass comes `first_s` after the start."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        keep: timedelta,
        first_s: float = 60.0,
        interval_s: float = 3600.0,
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._first_s = first_s
        self._interval_s = interval_s
        self._pause_s = pause_s
        self._last = self._look()

    async def run(self) -> None:
        """Prune for ever."""
        witness = await self._newest_event()
        await asyncio.sleep(self._first_s)
        if witness is not None:
            await self.prune(until=witness)
        while True:
            await asyncio.sleep(self._interval_s)
            await self.prune()

    async def prune(self, *, until: datetime | None = None) -> int:
        """One pass, if the clocks agree that time has passed evenly since the last one. Returns
        how many tasks and other things went. `until`: it is surely as late as that."""
        last, self._last = self._last, self._look()
        if not self._last.agrees_with(last):
            _log.warning(
                "the wall clock moved unevenly (%s in %.0f s): nothing is pruned until it does not",
                self._last.wall - last.wall,
                self._last.monotonic - last.monotonic,
                extra={"action": "retention_skipped"},
            )
            return 0
        now = self._last.wall if until is None else min(until, self._last.wall)
        try:
            return await self._all_before(now)
        except StoreError as error:
            _log.warning("cannot prune old tasks now: %s", error)
            return 0

    async def _all_before(self, now: datetime) -> int:
        try:
            before = timestamp(now - self._keep)
        except OverflowError:  # longer than time goes back
            return 0
        total = 0
        while removed := await self._store.prune(before, limit=_AT_ONCE):
            total += removed
            await asyncio.sleep(self._pause_s)
        if total:
            _log.info(
                "pruned %d finished tasks and other records older than %s",
                total,
                before,
                extra={"action": "retention_pruned"},
            )
        return total

    async def _newest_event(self) -> datetime | None:
        try:
            newest = await self._store.newest_events(EventQuery(limit=1))
        except StoreError as error:
            _log.warning("cannot read the newest event: %s", error)
            return None
        return datetime.fromisoformat(newest[0].event.at) if newest else None

    def _look(self) -> _Look:
        return _Look(self._clock.now(), self._clock.monotonic())
