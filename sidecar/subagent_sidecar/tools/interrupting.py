"""Interrupts on servers that take `multitask_strategy` and do not heed it.

Which they are nobody says, so it is looked at: the run that an update was to interrupt must be over
a few seconds later. Where it is not, it is cancelled then, and on that server from then on before
the next one starts.
"""

import asyncio
import logging
from collections.abc import Sequence

from ..core.agents import UpdateStrategy
from ..core.cancel import Outcome, TaskEnd
from ..core.model import EndedBy, Task
from ..core.tool_words import ACTIVE
from ..ports import TaskEnder
from ..tasks import spawn
from .door import Caller, Door
from .observing import thread_path

_log = logging.getLogger(__name__)

_LOOKS_S: Sequence[float] = (0.5, 1.0, 2.0, 4.0)
_CANCEL_S = 15.0
_WHY = "replaced by a follow-up"


class Interrupts:
    """`looks_s` are the pauses before each look at a run that should be over."""

    def __init__(
        self, door: Door, ender: TaskEnder, *, looks_s: Sequence[float] = _LOOKS_S
    ) -> None:
        self._door = door
        self._ender = ender
        self._looks_s = looks_s
        self._deaf: set[str] = set()
        self._looking: set[asyncio.Task[None]] = set()

    def cancels_first(self, task: Task, strategy: UpdateStrategy) -> bool:
        """Whether an update has to end the current run by itself."""
        if strategy is UpdateStrategy.CANCEL_FIRST:
            return True
        return strategy is UpdateStrategy.INTERRUPT and task.upstream in self._deaf

    async def end(self, task: Task) -> TaskEnd:
        """End what is at work on a task. Raises StoreError."""
        return await self._ender.end_task(
            task.task_id, by=EndedBy.SUPERVISOR, reason=_WHY, wait_s=_CANCEL_S, up_to=task.run_id
        )

    def interrupted(self, task: Task, caller: Caller) -> None:
        """An update was to interrupt the run that `task` is at. Returns at once."""
        looking = spawn(self._look(task, caller), name="is it interrupted")
        self._looking.add(looking)
        looking.add_done_callback(self._looking.discard)

    async def _look(self, task: Task, caller: Caller) -> None:
        for pause in self._looks_s:
            await asyncio.sleep(pause)
            answered = await self._door.ask(
                "GET",
                f"{thread_path(task)}/runs/{task.run_id}",
                principal=caller.principal,
                fields=caller.fields,
            )
            run = answered.json if answered.good else None
            if not isinstance(run, dict) or run.get("status") not in ACTIVE:
                return
        self._deaf.add(task.upstream)
        end = await self.end(task)
        _log.warning(
            "upstream '%s' takes multitask_strategy=interrupt and does not interrupt; the sidecar "
            "cancels runs itself from now on (task %s: %s)",
            task.upstream,
            task.task_id,
            end.told,
            extra={"action": "interrupt_ignored", "task_id": task.task_id},
        )

    async def aclose(self) -> None:
        for looking in self._looking:
            looking.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)


def ended(end: TaskEnd) -> bool:
    """Whether nothing that was to be replaced is at work any more, as far as can be known."""
    return end.over or end.outcome in (Outcome.LOST, Outcome.WENT_ON)
