"""Tasks as they are read: with their runs, page by page, or just what is live."""

from dataclasses import dataclass

from .records import Run, Task
from .usage import UsageEntry
from .words import RunStatus, TaskStatus, Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task with its runs, oldest first: what the admin plane shows.

    `short_id` is the shortest tail of the id, of at least 8 characters, that no other task has:
    langgraph's ids are UUIDv7, whose heads are the same for everything made within a minute.
    `in_doubt`: a start on it was sent and its outcome is not known yet.
    """

    task: Task
    runs: tuple[Run, ...]
    short_id: str
    in_doubt: bool = False
    usage: tuple[UsageEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChain:
    """A task as somebody needs it who wants to see it end: `runs` are the (id, status) of those
    that have not ended, oldest first."""

    task_id: str
    created_at: Timestamp
    status: TaskStatus
    runs: tuple[tuple[str, RunStatus], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks to list, newest first. Empty filters match everything.

    `ended_after` leaves out tasks that ended before it (None: none are left out), but not those
    with a run at large; `since` those created before it. `after` is the (created_at, task_id) of
    the last row of the page before.
    """

    session_id: str | None = None
    supervisor: str | None = None
    agent_name: str | None = None
    upstream: str | None = None
    statuses: frozenset[TaskStatus] = frozenset()
    since: Timestamp | None = None
    ended_after: Timestamp | None = None
    after: tuple[Timestamp, str] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """One page of a listing; `next_after` continues it. `hidden` counts the tasks that match but
    for `ended_after`, up to 1,000; it is 0 on later pages."""

    records: tuple[TaskRecord, ...]
    next_after: tuple[Timestamp, str] | None
    hidden: int = 0
