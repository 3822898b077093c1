"""Figures of the record: read when somebody scrapes, and every few seconds in between.

Counters are fed from the record of events and not by those who make them happen: starts pay
nothing for them, nothing counts that is not on record, and what another process on the same store
entered counts too. They begin with the process. A scrape that cannot read the store says so
(`subagent_store_up` 0) and tells the counters as they were; gauges of the record are left out then,
for nobody knows them.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ..core.metrics import instruments as i
from ..core.metrics.families import Family, plain
from ..core.metrics.labels import Whose
from ..core.metrics.lived import Lived, Spent
from ..core.metrics.marks import Told
from ..core.metrics.record import Used
from ..core.metrics.standing import of_record
from ..core.model import Timestamp
from ..core.policy import Policy
from ..errors import StoreError
from ..ports import Store

_log = logging.getLogger(__name__)

_EVERY_S = 10.0
_STRETCH = 10_000
"""Events that are added up in one read; others want to read as well."""


class RecordFigures:
    """`begin` it before anything happens that is to be counted. `policy` is the one in force."""

    def __init__(
        self,
        *,
        store: Store,
        whose: Whose,
        policy: Callable[[], Policy],
        now: Callable[[], Timestamp],
        every_s: float = _EVERY_S,
    ) -> None:
        self._store = store
        self._whose = whose
        self._policy = policy
        self._now = now
        self._every_s = every_s
        self._lived = Lived(whose)
        self._spent: Spent | None = None
        self._used: Sequence[Used] = ()
        self._upto = 0
        self._last = 0
        self._readable = True
        self._one_at_a_time = asyncio.Lock()

    async def begin(self) -> None:
        """Count from here on. Raises StoreError."""
        for one in (await self._store.census()).live:
            self._whose.pair(one.upstream, one.agent_name)
        self._used = await self._store.used()
        self._upto = self._last = await self._store.last_event()
        self._spent = Spent(self._whose, self._used)

    async def run(self) -> None:
        """Follow the record for ever, so that no scrape has much left to read."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.catch_up()
            except StoreError as error:
                _log.debug("metrics cannot read the record: %s", error)

    async def catch_up(self) -> None:
        """Count what has been entered since. Raises StoreError; what was read is counted."""
        async with self._one_at_a_time:
            while True:
                stretch = await self._store.happened(self._upto, limit=_STRETCH)
                self._lived.add(stretch)
                self._upto, self._last = stretch.upto, stretch.last
                if stretch.upto >= stretch.last:
                    return

    async def families(self, *, patience_s: float, told: Told | None = None) -> list[Family]:
        """Everything the record tells now. After `patience_s` seconds of reading what was counted
        so far will have to do. `told` are the events that traces tell, too."""
        standing: list[Family] = []
        try:
            async with asyncio.timeout(patience_s):
                census = await self._store.census()
                standing = list(of_record(census, self._whose, self._now()))
                self._used = await self._store.used()
                self._last = await self._store.last_event()
                await self.catch_up()
            self._readable = True
        except StoreError as error:
            self._unreadable(error)
        except TimeoutError:
            pass  # how much is missing is told below
        counted = list(self._lived.families(self._policy(), told))
        spent = [] if self._spent is None else list(self._spent.families(self._used))
        up = plain(i.STORE_UP, float(bool(standing)))
        behind = plain(i.UNCOUNTED, self._last - self._upto)
        return [*standing, *counted, *spent, up, behind]

    def _unreadable(self, error: StoreError) -> None:
        """One line for an outage, however many scrapes it lasts."""
        if self._readable:
            _log.warning(
                "metrics cannot read the record: %s; counters are told as they were",
                error,
                extra={"action": "metrics_unread"},
            )
        self._readable = False
