"""Who ends things: runs, tasks, what lifecycle rules say, and threads that nobody needs."""

from collections.abc import Sequence
from typing import Protocol

from ..core.cancel import TaskEnd, Try
from ..core.candidates import Planned, Reaped
from ..core.model import EndedBy
from .upstream import Headers


class Canceller(Protocol):
    """Sees to it that a cancel ends its run: verifies, escalates, tells the truth."""

    def verify(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        auth: Headers,
        how: Try = Try.INTERRUPT,
    ) -> None:
        """The server took a supervisor's cancel, which proves nothing. Returns at once."""


class TaskEnder(Protocol):
    """Ends whole tasks."""

    async def end_task(
        self,
        task_id: str,
        *,
        by: EndedBy,
        reason: str,
        wait_s: float,
        up_to: str | None = None,
    ) -> TaskEnd:
        """Cancel whatever of the task is live, and say what became of it within `wait_s` seconds;
        what goes on then is still pursued. What began on it after the run `up_to` is left alone,
        for it is not what was judged. Raises TaskNotFound, StoreError."""


class Reaping(Protocol):
    """Ends what lifecycle rules say, by hand. Both methods raise StoreError."""

    @property
    def interval_s(self) -> float:
        """How often it is done by itself; 0: never."""

    async def planned(self) -> Sequence[Planned]:
        """What would be done now, and would be if every rule were enforced; nothing is."""

    async def reap(self, *, wait_s: float) -> Sequence[Reaped]:
        """Do it, and say what became of it within `wait_s` seconds."""


class Tidier(Protocol):
    """Sees to it that refused starts leave no empty threads behind."""

    def left_behind(self, upstream: str, thread_id: str, *, supervisor: str, auth: Headers) -> None:
        """A start on the thread was refused. If it was made for that start alone it is removed,
        with the credentials `auth`. Returns at once."""

    def failed(self, thread_id: str, *, auth: Headers) -> None:
        """A start on the thread was sent and came to nothing, or may yet. If it was made for that
        start alone it is removed some time later, with the credentials `auth`."""

    def concerns(self, thread_id: str) -> bool:
        """Whether the thread may be about to be removed."""

    async def spare(self, thread_id: str) -> None:
        """Somebody wants to start on the thread: it stays, unless its removal is under way; then
        this returns when that is over."""
