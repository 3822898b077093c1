"""Gives messages on record the price that their model had not when they were read.

An operator sees in a refusal, or in `subagentctl budgets`, that a model has no price, and gives it
one. From then on what was spent can be known, also of tasks that ended long ago and are never read
again. A price that stands is never replaced: what was spent was spent at the price of its day.

A pass asks for the models without a price (one step in an index for each) and goes through the
messages of those that have one now, a hundred in a transaction, so that starts hardly wait. Several
sidecars may do it on the same books: what has a price by then is left alone. A pass every so often
finds what was read by the old prices while new ones came into force.
"""

import asyncio
import logging
from collections.abc import Callable

from .core.model import UsageEntry
from .core.quick import changed
from .errors import StoreError
from .ports import Store
from .service import Service

_log = logging.getLogger(__name__)

_AT_ONCE = 100
_PAUSE_S = 0.05
"""Between two transactions: a start that has to wait for one finds the writer idle after it."""
_MODELS = 500
_INTERVAL_S = 60.0


class Repricing:
    """`has`: whether a model has a price now; `cost`: what a message cost by it, None where the
    record of the message makes no sense."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        has: Callable[[str], bool],
        cost: Callable[[UsageEntry], int | None],
        interval_s: float = _INTERVAL_S,
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._service = service
        self._store = store
        self._has = has
        self._cost = cost
        self._interval_s = interval_s
        self._pause_s = pause_s
        self._wake = asyncio.Event()

    def charged(self) -> None:
        """Other prices hold from now on. Returns at once."""
        self._wake.set()

    async def run(self) -> None:
        """A pass now, whenever prices change, and every so often."""
        while True:
            self._wake.clear()
            try:
                await self.turn()
            except StoreError as error:
                _log.warning("messages cannot be priced now: %s; tried again later", error)
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def turn(self) -> int:
        """One pass. Returns how many messages were given a price. Raises StoreError."""
        await self._service.entered()
        priced, after = 0, ""
        while models := await self._store.unpriced_models(after=after, limit=_MODELS):
            for model in filter(self._has, models):
                priced += await self._price(model)
            after = models[-1]
        return priced

    async def _price(self, model: str) -> int:
        """Price every message of one model that has none."""
        priced, after = 0, None
        while entries := await self._store.unpriced(model, after=after, limit=_AT_ONCE):
            found = [
                changed(entry, cost_micro_usd=cost)
                for entry in entries
                if (cost := self._cost(entry)) is not None
            ]
            if found:
                await self._service.usage.priced(found)
                priced += len(found)
            after = entries[-1].task_id, entries[-1].message_id
            await asyncio.sleep(self._pause_s)
        if priced:
            _log.info(
                "%d messages of %s that had no price have one now",
                priced,
                model,
                extra={"action": "usage_priced"},
            )
        return priced
