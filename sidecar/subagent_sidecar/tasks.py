"""Background tasks that cannot be lost: the loop itself keeps only weak references to them."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], *, name: str, awaited: bool = False) -> asyncio.Task[T]:
    """Start `coro` and keep a reference until it ends. What it raises is logged, unless it is
    `awaited` by somebody, who will deal with it."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_running.discard if awaited else _ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error(
            "background task %s failed: %s", task.get_name(), error, extra={"action": "task_failed"}
        )
