"""Times, and the words for the states of things."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

Timestamp = str
"""ISO-8601 UTC, fixed width: `2026-01-31T08:30:00.000000Z`."""


def timestamp(moment: datetime) -> Timestamp:
    """Fixed-width text of an aware `moment`, so that order of text is order of time."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def just_after(moment: Timestamp) -> Timestamp:
    """The next moment that can be told from `moment`."""
    return timestamp(datetime.fromisoformat(moment) + timedelta(microseconds=1))


class RunStatus(StrEnum):
    """The words servers use for a run. Self-hosted servers say `cancelled` for `interrupted`."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


class ThreadStatus(StrEnum):
    """The words servers use for a thread; UNSEEN until one was seen since the
    current run last moved."""

    UNSEEN = "unseen"
    IDLE = "idle"
    BUSY = "busy"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class TaskStatus(StrEnum):
    """The words deepagents keeps for an async task."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


LIVE = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.WAITING})


class EndedBy(StrEnum):
    """Whose act ended a task."""

    UPSTREAM = "upstream"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    REAPER = "reaper"
    BUDGET = "budget"
    SERVER_LOST = "server_lost"


class IntentKind(StrEnum):
    """What was about to be sent upstream when the intent was made durable."""

    START = "start"
    UPDATE = "update"
    STATELESS = "stateless"
    BATCH = "batch"
    CRON = "cron"
