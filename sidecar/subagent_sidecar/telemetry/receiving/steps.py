"""Work that comes up for breath."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


async def by_steps(steps: Generator[None, None, T]) -> T:
    """Do it, and let others have their turn in between."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        await asyncio.sleep(0)
