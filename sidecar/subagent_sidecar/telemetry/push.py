"""Metrics for those who do not scrape: read every minute, and handed to an OTLP exporter.

One reading is on its way at a time. An endpoint that is down costs the readings of that time and
nothing else: the sums go on, and the next reading tells all of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..core.metrics.families import Family
from ..ports import Clock
from .exporting import Exporting

_log = logging.getLogger(__name__)

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
_CLOSING_S = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What all metrics say at one moment; sums are since `began_ns` (both in Unix time)."""

    families: Sequence[Family]
    began_ns: int
    at_ns: int


class MetricsPush:
    """Counts as having begun when it is made."""

    def __init__(
        self,
        *,
        gather: Callable[[], Awaitable[Sequence[Family]]],
        clock: Clock,
        exporting: Exporting[Reading],
        every_s: float,
        closing_s: float = _CLOSING_S,
    ) -> None:
        self._gather = gather
        self._clock = clock
        self._exporting = exporting
        self._every_s = every_s
        self._closing_s = closing_s
        self._began_ns = self._now_ns()
        self._failing = False
        self._under_way: asyncio.Future[bool] | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.push()

    async def push(self) -> bool:
        """Whether it was taken. What is still on its way is waited for, and told of, first."""
        if self._under_way is not None:
            await self._answer(self._under_way)
        # A wall clock that was set back must not have a sum end before it began.
        at_ns = max(self._now_ns(), self._began_ns)
        reading = Reading(await self._gather(), self._began_ns, at_ns)
        self._under_way = self._exporting.send((reading,))
        return await self._answer(self._under_way)

    async def _answer(self, taken: "asyncio.Future[bool]") -> bool:
        was_taken = await asyncio.shield(taken)
        self._under_way = None
        if was_taken and self._failing:
            _log.info("metrics are taken again", extra={"action": "metrics_taken"})
        if not was_taken and not self._failing:
            _log.warning(
                "metrics are not taken: the OTLP endpoint cannot be reached, or refuses them. "
                "Sums go on, and are pushed again",
                extra={"action": "metrics_not_taken"},
            )
        self._failing = not was_taken
        return was_taken

    async def aclose(self) -> None:
        """Tell how it ended, within the time there is for that. Whoever called `run` has ended
        it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._closing_s):
                await self.push()
        self._exporting.close()

    def _now_ns(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND * 1_000
