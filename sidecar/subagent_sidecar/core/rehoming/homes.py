"""What becomes of a trace, by what is on record of the tasks that its spans name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ..model import Run, TaskRecord, Timestamp, in_order, timestamp
from ..quick import quick
from ..trace_ids import span_of, start_span, trace_of
from .mentions import Mention

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class Mode(StrEnum):
    """What is done with traces of others."""

    REHOME = "rehome"
    LINK = "link"
    PASS = "pass"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A place in a task's trace: the span there that a root comes under, or is linked to."""

    trace_id: bytes
    span_id: bytes
    task_id: str
    run_id: str | None


@quick
@dataclass(frozen=True, slots=True)
class Fate:
    """`home` is that of the task whose trace it is, also of a trace that is there already; None
    where it is nobody's."""

    mode: Mode
    home: Home | None

    @property
    def moves(self) -> bool:
        return self.mode is Mode.REHOME


NOBODYS = Fate(Mode.PASS, None)

Found = Sequence[tuple[Mention, TaskRecord]]


def fate(trace_id: bytes, found: Found, mode: Mode) -> Fate:
    """What becomes of a trace whose spans name these tasks, at least one.

    Of several it is the one that is nearest to the root of its tree, since that is whose run the
    others came of; then the first one.
    """
    first = min(found, key=lambda each: (each[1].task.depth, each[1].task.created_at))
    homes = [home(said, record) for said, record in found]
    there = [each for each in homes if each.trace_id == trace_id]
    if there:
        return Fate(Mode.PASS, there[0])
    return Fate(mode, home(*first))


def home(said: Mention, record: TaskRecord) -> Home:
    """Where a span that says so belongs."""
    run = _run(said, record)
    task_id = record.task.task_id
    return Home(
        trace_id=bytes.fromhex(trace_of(record.task)),
        span_id=bytes.fromhex(start_span(task_id) if run is None else span_of(run)),
        task_id=task_id,
        run_id=None if run is None else run.run_id,
    )


def of_start(record: TaskRecord) -> Home:
    """The start of a task, for whoever asked for it."""
    task_id = record.task.task_id
    return Home(
        trace_id=bytes.fromhex(trace_of(record.task)),
        span_id=bytes.fromhex(start_span(task_id)),
        task_id=task_id,
        run_id=None,
    )


def _run(said: Mention, record: TaskRecord) -> Run | None:
    """The run by its id, or by its span's; else the last one that had been asked for by then."""
    runs = in_order(record.runs)
    for run in runs:
        if run.run_id == said.run_id or (said.context and span_of(run) == said.context):
            return run
    at = _moment(said.at_ns)
    before = [run for run in runs if run.created_at <= at]
    return before[-1] if before else runs[0] if runs else None


def _moment(nanoseconds: int) -> Timestamp:
    return timestamp(_EPOCH + timedelta(microseconds=min(nanoseconds // 1_000, _LAST_US)))
