"""Who finds out what becomes of starts, runs and threads, and who wants to be told."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ..core.changes import NewRun
from ..core.model import EndedBy, Intent, RunStatus, ThreadStatus, Timestamp
from .upstream import Headers


class Doubts(Protocol):
    """Finds out what became of starts whose answer never came."""

    def doubt(self, intent: Intent, reason: str, *, auth: Headers, answered: bool) -> None:
        """`answered`: the server did answer, so the start cannot still be on its way."""

    def under_way(self, intent: Intent) -> AbstractContextManager[None]:
        """While it lasts somebody waits for the server's answer, which may come only when the run
        is over: the start may be found, and is not given up."""


class Follower(Protocol):
    """Sees tasks through to their end. All return at once. `auth` is what to present upstream when
    asking on this client's behalf; the newest of a task is kept."""

    def follow(self, upstream: str, thread_id: str, run_id: str, *, auth: Headers) -> None:
        """The run's status has just changed or is about to: look now."""

    def keep(self, thread_id: str, *, auth: Headers) -> None:
        """A start on the thread was accepted, which is followed without being told of here."""

    def follow_stateless(
        self, upstream: str, thread_id: str, run_id: str, *, auth: Headers
    ) -> None:
        """Wait for the outcome of a run whose thread the server deletes when it ends."""


class Reachability(Protocol):
    """What can be known about tasks at all."""

    def unknown_since(self, upstream: str, task_id: str) -> Timestamp | None:
        """Since when nobody can tell how a live task stands, because its server does not answer
        (us): the status on record is the last one seen. None if it can be told."""


class Observer(Protocol):
    """Who wants to know at once what becomes of runs. Called on the event loop, in the middle of
    requests: methods only take note and never raise. Who is not told of starts as such (`Began`) is
    told of them as runs that have moved."""

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """A run was accepted, or seen in another status than before."""

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None: ...

    def thread_gone(self, upstream: str, thread_id: str) -> None: ...


Began = Callable[[str, Sequence[NewRun]], None]
"""Told at once, with the upstream, which runs a start was accepted with; all of them are live."""


class CancelObserver(Protocol):
    """Who wants to know at once that a run is to end. Called as Observer is."""

    def cancel_asked(
        self, upstream: str, thread_id: str, run_id: str, *, by: EndedBy, reason: str | None
    ) -> None: ...
