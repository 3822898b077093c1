"""What a message cost: by the operator's own prices, else by the published list prices."""

import importlib
import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from .core.model import UsageEntry
from .core.prices import PriceList, cost, micro_usd, own_price
from .core.usage import Reading

_log = logging.getLogger(__name__)

Published = Callable[[Reading, datetime], Decimal | None]
"""The USD that a message cost at a time, or None."""


class Prices:
    """`own` comes first. `published` is None for the list that ships with the sidecar, which is
    loaded when it is first needed: call `cost` from a worker thread."""

    def __init__(self, own: PriceList, *, published: Published | None = None) -> None:
        self._own = own
        self._published = published

    def charge(self, own: PriceList) -> None:
        """Go by other prices of the operator's from now on."""
        self._own = own

    def has(self, model: str) -> bool:
        """Whether the operator says what the model costs."""
        return own_price(self._own, model) is not None

    def own_cost(self, entry: UsageEntry) -> int | None:
        """Micro-USD of a message on record, by the operator's own prices. The published ones need
        more than the record has: who served the model, for one."""
        own = own_price(self._own, entry.model) if entry.model is not None else None
        return None if own is None else cost(entry, own)

    def cost(self, reading: Reading, at: datetime) -> int | None:
        """Micro-USD; None where nobody says what the model costs."""
        if reading.model is None:
            return None
        if (own := own_price(self._own, reading.model)) is not None:
            return cost(reading, own)
        if self._published is None:
            self._published = _published()
        usd = self._published(reading, at)
        return None if usd is None else micro_usd(usd)


def _published() -> Published:
    try:
        module = importlib.import_module(f"{__package__}.published_prices")
    except ImportError as error:
        _log.error(
            "no published prices: %s; tokens have a cost only where `prices` says so",
            error,
            extra={"action": "prices_missing"},
        )
        return lambda reading, at: None
    found: Published = module.price
    return found
