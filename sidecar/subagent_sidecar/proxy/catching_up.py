"""Letting the books catch up with what just happened, so that an answer holds it."""

import asyncio
from contextlib import suppress

from ..service import Service

_PATIENCE_S = 0.5


async def catch_up(service: Service, *, refusals: bool = False) -> None:
    """Wait until what was posted so far is on record, unless the store takes its time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            await (service.refusals_entered() if refusals else service.entered())
