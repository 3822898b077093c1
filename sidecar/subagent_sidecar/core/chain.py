"""A task's chain of runs: adding one in its place, and moving one along.

The newest run is current, the earlier ones are superseded; the task's status follows the current
one. Every other part of the bookkeeping moves runs through these two functions.
"""

from dataclasses import replace

from . import lifecycle
from .ledger import Ledger
from .model import (
    EndedBy,
    Event,
    Run,
    RunStatus,
    Task,
    TaskStatus,
    ThreadStatus,
    Timestamp,
)


def add_run(ledger: Ledger, task: Task, run: Run, status: RunStatus, at: Timestamp) -> None:
    if task.run_id != run.run_id:
        run = _in_place(ledger, run)
        if run.superseded_by is None:
            task = _with_current(task, run, at)
    ledger.put_task(task)
    ledger.put_run(run)
    ledger.add_event(
        Event(
            at=at,
            kind="updated" if run.kind == "update" else "started",
            task_id=task.task_id,
            run_id=run.run_id,
            status=status,
            detail={"strategy": run.strategy} if run.strategy else {},
        )
    )
    if status is not RunStatus.PENDING:
        move_run(ledger, task, run, status, at)


def _in_place(ledger: Ledger, run: Run) -> Run:
    """`run` between the runs made before and after it. What became of a start may be found out
    only after later ones are on record: then it is history from the beginning."""
    others = ledger.runs(run.task_id)
    later = next((other for other in others if other.created_at > run.created_at), None)
    after = None if later is None else later.run_id
    for other in others:
        if other.created_at <= run.created_at and other.superseded_by == after:
            ledger.put_run(replace(other, superseded_by=run.run_id))
    return replace(run, superseded_by=after)


def _with_current(task: Task, run: Run, at: Timestamp) -> Task:
    return replace(
        task,
        run_id=run.run_id,
        thread_status=ThreadStatus.UNSEEN,
        status=TaskStatus.PENDING,
        last_updated_at=at,
        ended_at=None,
        ended_by=None,
        reason=None,
    )


def move_run(ledger: Ledger, task: Task, run: Run, seen: RunStatus, at: Timestamp) -> None:
    status = lifecycle.next_run_status(run.status, seen)
    if status is run.status:
        return
    never_ran = status is RunStatus.INTERRUPTED and run.status is RunStatus.PENDING
    began = run.started_at is None and not never_ran
    run = replace(
        run,
        status=status,
        started_at=at if began else run.started_at,
        ended_at=at if lifecycle.has_ended(status) else None,
    )
    ledger.put_run(run)
    ledger.add_event(
        Event(at=at, kind="run_status", task_id=task.task_id, run_id=run.run_id, status=status)
    )
    if run.ended and run.cancel_asked_by is not None:
        _tell_cancelled(ledger, run, at)
    if began and task.started_at is None:
        task = replace(task, started_at=at)
        ledger.put_task(task)
    if task.run_id == run.run_id:
        # What the thread was before the run moved says nothing about it now.
        settle_status(ledger, replace(task, thread_status=ThreadStatus.UNSEEN), run, at)


def _tell_cancelled(ledger: Ledger, run: Run, at: Timestamp) -> None:
    """A run that was to be cancelled is over: by the cancel, or before it."""
    kind = "cancel_confirmed" if run.status is RunStatus.INTERRUPTED else "cancel_too_late"
    ledger.add_event(
        Event(at=at, kind=kind, task_id=run.task_id, run_id=run.run_id, status=run.status)
    )


def settle_status(ledger: Ledger, task: Task, run: Run, at: Timestamp) -> None:
    """Bring the task in line with its current run and thread."""
    status = lifecycle.task_status(run.status, task.thread_status)
    if status is task.status:
        ledger.put_task(task)
        return
    moved = replace(task, status=status, last_updated_at=at)
    if moved.live:
        moved = replace(moved, ended_at=None, ended_by=None)
    else:
        by_cancel = run.status is RunStatus.INTERRUPTED and run.cancel_reason is not None
        moved = replace(
            moved,
            ended_at=at,
            ended_by=_ended_by(run),
            reason=run.cancel_reason if by_cancel else moved.reason,
        )
    ledger.put_task(moved)
    kind = "status" if moved.live else "ended"
    detail = {} if moved.ended_by is None else {"by": moved.ended_by.value}
    ledger.add_event(
        Event(
            at=at, kind=kind, task_id=task.task_id, run_id=run.run_id, status=status, detail=detail
        )
    )


def _ended_by(run: Run) -> EndedBy:
    """A cancel that was asked for explains an interrupted run, and nothing else."""
    if run.status is RunStatus.INTERRUPTED and run.cancel_asked_by is not None:
        return run.cancel_asked_by
    return EndedBy.UPSTREAM
