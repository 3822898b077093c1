"""How often clients ask after tasks."""

import asyncio
from collections.abc import Callable

from ..core.changes import Polled
from ..core.model import Timestamp
from ..recorder import Recorder
from .memory import Memory

_FLUSH_S = 2.0


class Polls:
    """Counted, and entered many at a time."""

    def __init__(self, *, recorder: Recorder, memory: Memory, now: Callable[[], Timestamp]) -> None:
        self._recorder = recorder
        self._memory = memory
        self._now = now
        self._times: dict[str, int] = {}
        self._flush: asyncio.TimerHandle | None = None

    def polled(self, task_id: str) -> None:
        """A client asked after a task; written down a little later, many at a time."""
        self._times[task_id] = self._times.get(task_id, 0) + 1
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(_FLUSH_S, self._hand_in)

    def _hand_in(self) -> None:
        self._flush = None
        at = self._now()
        counted, self._times = self._times, {}
        self._memory.trim()
        for task_id, times in counted.items():
            self._recorder.post(Polled(task_id=task_id, times=times, at=at))

    def hand_in(self) -> None:
        """Enter what was counted so far."""
        if self._flush is not None:
            self._flush.cancel()
        self._hand_in()
