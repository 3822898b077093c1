"""Asking other processes over HTTP until they say what is waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

T = TypeVar("T")

_ASK_EVERY = 0.1


def plain_http(base_url: str) -> httpx.AsyncClient:
    """A client that no proxy of the environment gets in the way of."""
    return httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=30)


async def eventually(
    ask: Callable[[], Awaitable[T]], accept: Callable[[T], bool], *, within: float
) -> T:
    """Ask until the answer is accepted; after `within` seconds the last answer, as it is."""
    give_up = time.monotonic() + within
    # ASYNC110 wants an Event: the state of another process has none to wait for.
    while not accept(answer := await ask()) and time.monotonic() < give_up:  # noqa: ASYNC110
        await asyncio.sleep(_ASK_EVERY)
    return answer
