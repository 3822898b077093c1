"""Waiting for a condition, with an end to the patience.

What is waited for comes at once; the patience is for a machine that stands still meanwhile, and its
only use is that a test which waits in vain ends with a message of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_STEP = 0.01
PATIENCE_S = 30.0


async def eventually(condition: Callable[[], object], *, within: float = PATIENCE_S) -> None:
    """Return as soon as `condition()` holds; AssertionError after `within` seconds."""

    async def ask() -> object:
        return condition()

    await eventually_got(ask, lambda value: bool(value), within=within)


async def eventually_got(
    ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], *, within: float = PATIENCE_S
) -> T:
    """Ask again until the answer is good, and return it; the error shows the last answer."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within
    while not good(answer := await ask()):
        if loop.time() > give_up:
            raise AssertionError(f"not within {within} s; the last answer was {answer!r}")
        await asyncio.sleep(_STEP)
    return answer
