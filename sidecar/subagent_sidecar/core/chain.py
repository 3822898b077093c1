"""A task's chain of runs: adding one in its place, and moving one along.

The newest run is current, the earlier ones are superseded; the task's status follows the current
one. Every other part of the bookkeeping moves runs through these two functions.
"""

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
from .quick import changed


def add_run(ledger: Ledger, task: Task, run: Run, status: RunStatus, at: Timestamp) -> None:
    if task.run_id != run.run_id:
        run = _in_place(ledger, run)
        if run.superseded_by is None:
            task = _with_current(task, run, at)
    ledger.put_task(task)
    ledger.put_run(run)
    begin_run(ledger, task, run, status, at)


def begin_run(ledger: Ledger, task: Task, run: Run, status: RunStatus, at: Timestamp) -> None:
    """Tell of a run that is on record from now on, and move it to where it is by now."""
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
            ledger.put_run(changed(other, superseded_by=run.run_id))
    return changed(run, superseded_by=after)


def _with_current(task: Task, run: Run, at: Timestamp) -> Task:
    return changed(
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
    run = changed(
        run,
        status=status,
        started_at=at if began else run.started_at,
        ended_at=at if lifecycle.has_ended(status) else None,
    )
    by_itself = run.ended and status is not RunStatus.INTERRUPTED
    if by_itself:
        run = changed(run, cancel_unconfirmed_at=None)  # whatever was tried: it is over now
    ledger.put_run(run)
    ledger.add_event(
        Event(at=at, kind="run_status", task_id=task.task_id, run_id=run.run_id, status=status)
    )
    if by_itself and run.cancel_asked_by is not None:
        _tell_too_late(ledger, run, at)
    if began and task.started_at is None:
        task = changed(task, started_at=at)
        ledger.put_task(task)
    if task.run_id == run.run_id:
        # What the thread was before the run moved says nothing about it now.
        settle_status(ledger, changed(task, thread_status=ThreadStatus.UNSEEN), run, at)


def _tell_too_late(ledger: Ledger, run: Run, at: Timestamp) -> None:
    """A run that was to be cancelled ended by itself. (That a cancel came true is told once it is
    verified, see endings.cancel_confirmed: the status alone proves nothing.)"""
    ledger.add_event(
        Event(
            at=at, kind="cancel_too_late", task_id=run.task_id, run_id=run.run_id, status=run.status
        )
    )


def settle_status(ledger: Ledger, task: Task, run: Run, at: Timestamp) -> None:
    """Bring the task in line with its current run and thread."""
    status = lifecycle.task_status(run.status, task.thread_status)
    if status is task.status:
        ledger.put_task(task)
        return
    moved = changed(task, status=status, last_updated_at=at)
    if moved.live:
        moved = changed(moved, ended_at=None, ended_by=None)
    else:
        by_cancel = run.status is RunStatus.INTERRUPTED and run.cancel_reason is not None
        moved = changed(
            moved,
            ended_at=at,
            ended_by=_ended_by(run),
            reason=run.cancel_reason if by_cancel else moved.reason,
        )
    ledger.put_task(moved)
    ledger.add_event(
        Event(
            at=at,
            kind="status" if moved.live else "ended",
            task_id=task.task_id,
            run_id=run.run_id,
            status=status,
            detail=whose_end(moved),
        )
    )


def whose_end(task: Task) -> dict[str, str]:
    """Who ended a task, and why if that is known; empty while it is live."""
    if task.ended_by is None:
        return {}
    return {"by": task.ended_by.value} | ({"reason": task.reason} if task.reason else {})


def _ended_by(run: Run) -> EndedBy:
    """A cancel that was asked for explains an interrupted run, and nothing else."""
    if run.status is RunStatus.INTERRUPTED and run.cancel_asked_by is not None:
        return run.cancel_asked_by
    return EndedBy.UPSTREAM
