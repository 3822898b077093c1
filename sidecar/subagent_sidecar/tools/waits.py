"""Who waits for tasks to move."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..core.changes import NewRun
from ..core.model import RunStatus, ThreadStatus


class Waits:
    """ports.Observer: wakes those who wait. Costs nothing while nobody does."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def on(self, task_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the task moves."""
        moved = asyncio.Event()
        waiting = self._waiting.setdefault(task_id, set())
        waiting.add(moved)
        try:
            yield moved
        finally:
            waiting.discard(moved)
            if not waiting:
                self._waiting.pop(task_id, None)

    def runs_began(self, upstream: str, runs: Sequence[NewRun]) -> None:
        """See ports.Began."""
        if self._waiting:
            for run in runs:
                self._wake(run.thread_id)

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer."""
        if self._waiting:
            self._wake(thread_id)

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None:
        """See ports.Observer."""
        if self._waiting:
            self._wake(thread_id)

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        """See ports.Observer."""
        self._wake(thread_id)

    def wake_all(self) -> None:
        """Have all look again."""
        for thread_id in self._waiting:
            self._wake(thread_id)

    def _wake(self, thread_id: str) -> None:
        for moved in self._waiting.get(thread_id, ()):
            moved.set()
