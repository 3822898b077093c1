"""Loops that end with the stack they were entered on."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from ..tasks import spawn


def spawned(stack: AsyncExitStack, work: Coroutine[Any, Any, None], *, name: str) -> None:
    """Run `work` until the stack is left."""
    stack.push_async_callback(_cancelled, spawn(work, name=name))


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
