"""What a task and its runs did, as parts of a bar. Pure."""

from datetime import datetime

from subagentctl import fields
from subagentctl.bars import Part, Segment
from subagentctl.fields import Record, moment, records
from subagentctl.listing import LIVE
from subagentctl.render import is_unknown


def task_segments(task: Record, now: datetime) -> list[Segment]:
    """All its runs, one behind the other, and what it waits for after them."""
    runs = records(task, "runs")
    segments = [part for run in runs for part in run_segments(run, task, now)]
    begin = moment(task, "created_at")
    if begin is None:
        return segments
    if not runs:
        return [Segment(Part.QUEUED, begin, _end(task, now), grows=_live(task))]
    if fields.text(task, "status") == "waiting":
        since = max((each.end for each in segments), default=begin)
        segments.append(Segment(Part.WAITING, since, max(now, since), grows=True))
    return segments


def run_segments(run: Record, task: Record, now: datetime) -> list[Segment]:
    """In the queue, then at work; what nobody can tell since the server is silent."""
    created, started, ended = (
        moment(run, f"{what}_at") for what in ("created", "started", "ended")
    )
    if created is None:
        return []
    grows = run_goes_on(run)
    end = max(now if grows else ended or created, created)
    if started is None or (ended is not None and created < started == ended):
        # Never seen at work. Of one that is over nobody knows how long it was in the queue.
        return [Segment(Part.QUEUED if grows else Part.WORK, created, end, grows)]
    started = min(max(started, created), end)
    queued = [Segment(Part.QUEUED, created, started)] if started > created else []
    silent = moment(task, "unknown_since") if grows and is_unknown(task) else None
    if silent is None:
        return [*queued, Segment(Part.WORK, started, end, grows)]
    silent = min(max(silent, started), end)
    seen = Segment(Part.WORK, started, silent)
    return [*queued, seen, Segment(Part.UNKNOWN, silent, end, grows=True)]


def run_goes_on(run: Record) -> bool:
    """Whether it is at work for all that is known, whatever its status says."""
    return fields.text(run, "status") in LIVE or bool(fields.text(run, "cancel_unconfirmed_at"))


def goes_on_at_all(task: Record) -> bool:
    """Whether anything of the task is not over."""
    return _live(task) or any(map(run_goes_on, records(task, "runs")))


def task_end(task: Record, now: datetime) -> datetime:
    """When the last of it was over; now for what goes on."""
    if goes_on_at_all(task):
        return now
    ends = (moment(run, "ended_at") for run in records(task, "runs"))
    return max((_end(task, now), *(end for end in ends if end is not None)))


def _live(task: Record) -> bool:
    return fields.text(task, "status") in LIVE or task.get("in_doubt") is True


def _end(task: Record, now: datetime) -> datetime:
    if _live(task):
        return now
    return moment(task, "ended_at") or moment(task, "created_at") or now
