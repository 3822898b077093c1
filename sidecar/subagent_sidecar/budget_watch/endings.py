"""Ends the tasks of spent budgets, each once for the run it was at."""

import asyncio
import logging

from ..core.cancel import Outcome
from ..core.model import EndedBy, Task
from ..errors import StoreError, TaskNotFound, UpstreamError
from ..ports import TaskEnder
from ..tasks import spawn

_log = logging.getLogger(__name__)

_AT_ONCE = 16
_MOST = 20_000
_ASK_AGAIN = frozenset({Outcome.IN_DOUBT, Outcome.WENT_ON})
"""What is not pursued any further by those who were asked."""


class Endings:
    """`end` returns at once. Whoever is asked to end a task sees to it that it does end."""

    def __init__(self, ender: TaskEnder) -> None:
        self._ender = ender
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._asked: dict[str, str | None] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def end(self, task: Task, reason: str) -> None:
        """Have the task end, unless that was asked for the run it is at."""
        task_id, run_id = task.task_id, task.run_id
        if task_id in self._asked and self._asked[task_id] == run_id:
            return
        self._asked[task_id] = run_id
        if len(self._asked) > _MOST:
            del self._asked[next(iter(self._asked))]
        ending = spawn(self._end(task_id, reason), name=f"budget of {task_id}")
        self._under_way.add(ending)
        ending.add_done_callback(self._under_way.discard)

    async def settled(self) -> None:
        """Wait until all who were asked have answered."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop asking. What was asked is on record, and pursued after the next start."""
        for ending in self._under_way:
            ending.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _end(self, task_id: str, reason: str) -> None:
        async with self._slots:
            try:
                end = await self._ender.end_task(
                    task_id, by=EndedBy.BUDGET, reason=reason, wait_s=0.0
                )
            except (TaskNotFound, StoreError, UpstreamError) as error:
                _log.warning(
                    "task %s, whose budget is spent, could not be cancelled: %s; tried again",
                    task_id,
                    error,
                    extra={"action": "budget_cancel_failed"},
                )
                self._asked.pop(task_id, None)
                return
        if end.outcome in _ASK_AGAIN:
            self._asked.pop(task_id, None)
