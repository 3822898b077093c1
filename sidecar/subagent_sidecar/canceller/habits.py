"""How the runs of a task are cancelled: what the operator said, else its policy, else as usual."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from ..core.cancel import Rollback
from ..core.matching import Call
from ..core.model import Task
from ..core.policy import Lifecycle, Then
from ..errors import StoreError
from ..ports import Store
from ..service import Service

_VERIFY_FOR = timedelta(seconds=15)
_ROLLBACK = {None: Rollback.OURS, Then.ESCALATE: Rollback.OURS, Then.KEEP_ASKING: Rollback.NEVER}
_PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Habit:
    """How long a cancelled run may take to end, and whose cancels may end in a rollback."""

    verify_for_s: float
    rollback: Rollback


class Habits:
    """`verify_for` and `rollback` are what the operator said, None where nothing."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        verify_for: timedelta | None,
        rollback: Rollback | None,
    ) -> None:
        self._service = service
        self._store = store
        self._verify_for = verify_for
        self._rollback = rollback

    async def of(self, task_id: str) -> Habit:
        """Of a task about which nothing can be known, nothing is said by policy."""
        said = Lifecycle()
        if self._verify_for is None or self._rollback is None:
            task = await self._task(task_id)
            if task is not None:
                said = self._service.policy.lifecycle_for(_call(task)).values
        verify_for = self._verify_for or said.verify_for or _VERIFY_FOR
        return Habit(verify_for.total_seconds(), self._rollback or _ROLLBACK[said.then])

    async def _task(self, task_id: str) -> Task | None:
        """Its start may not be on record yet; a store in trouble is not waited for."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await self._service.entered()
                record = await self._store.task(task_id)
                return None if record is None else record.task
        return None


def _call(task: Task) -> Call:
    return Call(
        agent=task.agent_name,
        upstream=task.upstream,
        supervisor=task.supervisor,
        session=task.session_id,
        depth=task.depth,
        task_id=task.task_id,
    )
