"""Cancels, and runs and threads that the server does not have any more."""

from .chain import move_run, whose_end
from .changes import (
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    RunGone,
    ThreadGone,
    WaitingCancelled,
)
from .ledger import Ledger
from .model import EndedBy, Event, RunStatus, Task, TaskStatus
from .quick import changed


def cancel_asked(ledger: Ledger, change: CancelAsked) -> None:
    """Note who wants the run to end. A result that is on record stays what it is."""
    run = ledger.run(change.thread_id, change.run_id)
    if run is None:
        return
    if run.ended and (run.status is not RunStatus.INTERRUPTED or run.cancel_asked_by is not None):
        return
    if run.cancel_asked_by is not None and run.cancel_reason is not None:
        # Asked once more: the first who asked, and why, explain the end.
        return
    ledger.put_run(
        changed(
            run,
            cancel_asked_at=change.at,
            cancel_asked_by=change.by,
            cancel_reason=change.reason,
        )
    )
    ledger.add_event(
        Event(
            at=change.at,
            kind="cancel_asked",
            task_id=run.task_id,
            run_id=run.run_id,
            detail={"by": change.by.value} | ({"reason": change.reason} if change.reason else {}),
        )
    )
    task = ledger.task(run.task_id)
    if run.ended and task is not None and task.run_id == run.run_id:
        # The server answers a waiting cancel last: others may have seen the end before.
        ledger.put_task(changed(task, ended_by=change.by, reason=change.reason or task.reason))


def cancel_unconfirmed(ledger: Ledger, change: CancelUnconfirmed) -> None:
    """The run goes on although its server took the cancel, also where the server calls it
    interrupted. Told once, until it is confirmed after all; and anew where it runs again after
    that."""
    run = ledger.run(change.thread_id, change.run_id)
    if run is None or run.at_large:
        return
    if run.ended and run.status is not RunStatus.INTERRUPTED:
        return
    if (run.cancel_confirmed_at is not None) is not change.again:
        return
    ledger.put_run(changed(run, cancel_unconfirmed_at=change.at, cancel_confirmed_at=None))
    ledger.add_event(
        Event(
            at=change.at,
            kind="cancel_unconfirmed",
            task_id=run.task_id,
            run_id=run.run_id,
            status=run.status,
            detail={"again": True} if change.again else {"tried": list(change.tried)},
        )
    )


def cancel_confirmed(ledger: Ledger, change: CancelConfirmed) -> None:
    """The cancel was seen to have come true. A run that ended by itself was not cancelled.

    Of a run that is lost nobody will ever see that, and it must not be counted for ever.
    """
    run = ledger.run(change.thread_id, change.run_id)
    if run is None or run.status is not RunStatus.INTERRUPTED or run.cancel_asked_at is None:
        return
    if run.cancel_confirmed_at is not None:
        return
    ledger.put_run(changed(run, cancel_confirmed_at=change.at, cancel_unconfirmed_at=None))
    ledger.add_event(
        Event(
            at=change.at,
            kind="cancel_confirmed",
            task_id=run.task_id,
            run_id=run.run_id,
            status=run.status,
            detail={"lost": True} if change.lost else {},
        )
    )


def waiting_cancelled(ledger: Ledger, change: WaitingCancelled) -> None:
    """End a task that is waiting; one that went on meanwhile is left alone."""
    task = ledger.task(change.thread_id)
    if task is not None and task.status is TaskStatus.WAITING:
        _end_unfinished(ledger, task, change)


def run_gone(ledger: Ledger, change: RunGone) -> None:
    """A run that was live and is not there any more has ended."""
    task, run = ledger.task(change.thread_id), ledger.run(change.thread_id, change.run_id)
    if task is None or run is None or run.ended:
        return
    if run.cancel_asked_by is None:
        run = changed(run, cancel_asked_by=change.by)
    if task.run_id == run.run_id:
        task = changed(task, reason=run.cancel_reason or change.reason)
    move_run(ledger, task, run, RunStatus.INTERRUPTED, change.at)
    if change.by is EndedBy.SERVER_LOST:
        lost = CancelConfirmed(thread_id=run.task_id, run_id=run.run_id, at=change.at, lost=True)
        cancel_confirmed(ledger, lost)


def thread_gone(ledger: Ledger, change: ThreadGone) -> None:
    """A thread that was deleted takes its live runs, and a task that was waiting, with it."""
    task = ledger.task(change.thread_id)
    if task is None:
        return
    ledger.add_event(
        Event(at=change.at, kind="thread_deleted", task_id=task.task_id, detail={"by": change.by})
    )
    for run in ledger.runs(task.task_id):
        if not run.ended:
            gone = RunGone(
                thread_id=task.task_id,
                run_id=run.run_id,
                by=change.by,
                at=change.at,
                reason=change.reason,
            )
            run_gone(ledger, gone)
    left = ledger.task(task.task_id)
    if left is not None and left.live and left.run_id is not None:
        _end_unfinished(ledger, left, change)


def _end_unfinished(ledger: Ledger, task: Task, change: ThreadGone | WaitingCancelled) -> None:
    """End a task whose last run succeeded and which was not done: it was waiting for a human."""
    ended = changed(
        task,
        status=TaskStatus.CANCELLED,
        last_updated_at=change.at,
        ended_at=change.at,
        ended_by=change.by,
        reason=change.reason,
    )
    ledger.put_task(ended)
    ledger.add_event(
        Event(
            at=change.at,
            kind="ended",
            task_id=task.task_id,
            run_id=task.run_id,
            status=ended.status,
            detail=whose_end(ended),
        )
    )
