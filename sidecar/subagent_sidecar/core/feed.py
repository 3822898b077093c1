"""Reading the record of events across tasks: what is asked for, and a page of it."""

from dataclasses import dataclass

from .matching import Scope
from .model import Event, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events to read. Empty filters match everything.

    `after` is the number of the last event that is known already. The filters for session, agent
    and upstream ask whose the event is (`told`).
    """

    after: int = 0
    limit: int = 100
    task_id: str | None = None
    session_id: str | None = None
    agent_name: str | None = None
    upstream: str | None = None
    kinds: frozenset[str] = frozenset()

    @property
    def sparse(self) -> bool:
        """Whether many events may have to be looked at to find one that fits."""
        rest = (self.session_id, self.agent_name, self.upstream)
        return self.task_id is None and (bool(self.kinds) or any(r is not None for r in rest))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEvent:
    """An event, and whose it is as far as is known."""

    event: Event
    agent_name: str | None = None
    session_id: str | None = None
    upstream: str | None = None


def told(event: Event, task: Task | None) -> ToldEvent:
    """An event is its task's. Where there is none on record it is of whom it names itself, or of
    the one within which its budget counts, or which its freeze is about."""
    if task is not None:
        return ToldEvent(
            event=event,
            agent_name=task.agent_name,
            session_id=task.session_id,
            upstream=task.upstream,
        )
    detail = event.detail
    scope = {detail.get("scope"): detail.get("scope_id")}
    return ToldEvent(
        event=event,
        agent_name=detail.get("agent") or scope.get(Scope.AGENT),
        session_id=detail.get("session") or scope.get(Scope.SESSION),
        upstream=detail.get("upstream") or scope.get(Scope.UPSTREAM),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events, oldest first. A page may hold fewer than there are, even none: `upto` is the number
    up to which it looked, and `last` that of the newest event there was. `pruned` is the number of
    the newest event that retention removed, 0 where it removed none."""

    events: tuple[ToldEvent, ...]
    upto: int
    last: int
    pruned: int = 0

    @property
    def more(self) -> bool:
        return self.upto < self.last
