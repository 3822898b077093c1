"""Which ends are told to whom.

`ended` is told, and `waiting`, since somebody is asked. A run's success is not always its task's:
langgraph calls it one, too, when an agent stops to ask a human, and only the thread tells. So a
success waits a moment until its thread was seen, and is not told if the task turns out to wait.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..matching import Glob
from ..model import Event, Task, TaskStatus

STATUSES = ("success", "error", "timeout", "cancelled", "waiting")
KINDS = frozenset({"ended", "status"})
"""The events among which there are some to tell."""

_THREAD_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Somebody to tell. Empty filters let everything through."""

    name: str
    agents: tuple[Glob, ...] = ()
    sessions: tuple[Glob, ...] = ()
    supervisors: tuple[Glob, ...] = ()
    statuses: frozenset[str] = frozenset(STATUSES)

    def wants(self, task: Task, status: str) -> bool:
        return (
            status in self.statuses
            and _fits(self.agents, task.agent_name)
            and _fits(self.sessions, task.session_id)
            and _fits(self.supervisors, task.supervisor)
        )


def _fits(globs: tuple[Glob, ...], text: str) -> bool:
    return not globs or any(glob.fits(text) for glob in globs)


def is_told(event: Event) -> bool:
    """Whether the event is one of those that are told."""
    if event.kind == "status":
        return event.status == TaskStatus.WAITING
    return event.kind == "ended"


def is_ripe(event: Event, task: Task, now: datetime) -> bool:
    """Whether it is known by now whether the task's success is one."""
    if not task.half_seen or not _is_success_of(event, task):
        return True
    age = now - datetime.fromisoformat(event.at)
    return not timedelta(0) <= age < _THREAD_WITHIN


def turned_out_waiting(event: Event, task: Task) -> bool:
    """Whether what looked like the end was a question: that is told by an event of its own."""
    return task.status is TaskStatus.WAITING and _is_success_of(event, task)


def _is_success_of(event: Event, task: Task) -> bool:
    return (
        event.kind == "ended" and event.status == TaskStatus.SUCCESS and event.run_id == task.run_id
    )
