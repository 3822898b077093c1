"""When a task would be ended by its clocks, by the policy in force. Told, not decided by: the
reaper goes by ages that no jump of the clock moves (ages.py)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from .model import RunStatus, TaskRecord, TaskStatus, Timestamp, timestamp
from .policy import Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Of the clocks that run now; None for those that do not, and of those that are off.
    `expires_at` is the first of them, `waiting` included."""

    queue: Timestamp | None = None
    run: Timestamp | None = None
    total: Timestamp | None = None
    expires_at: Timestamp | None = None


NO_DEADLINES = Deadlines()


def deadlines(record: TaskRecord, said: Lifecycle) -> Deadlines:
    """`said` are the settings that hold for the task."""
    task = record.task
    run = next((run for run in record.runs if run.run_id == task.run_id), None)
    if not task.live or run is None:
        return NO_DEADLINES
    queue = began = waiting = None
    if task.status is TaskStatus.WAITING:
        waiting = _after(run.ended_at, said.waiting)
    elif run.status is RunStatus.PENDING:
        queue = _after(run.created_at, said.queue)
    elif run.status is RunStatus.RUNNING:
        began = _after(run.started_at, said.run)
    total = _after(task.created_at, said.total)
    first = min(filter(None, (queue, began, total, waiting)), default=None)
    return Deadlines(queue=queue, run=began, total=total, expires_at=first)


def _after(moment: Timestamp | None, span: timedelta | None) -> Timestamp | None:
    if moment is None or not span:
        return None
    try:
        return timestamp(datetime.fromisoformat(moment) + span)
    except OverflowError:
        return None
