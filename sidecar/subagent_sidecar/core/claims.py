"""Claiming what was planned: looked at once more, and put on record, in one transaction.

Between the plan and the claim the task may have moved, another process may have been quicker, its
supervisor may be about to go on with it. Then nothing is done; the next plan will tell. What is
claimed is on record as to be cancelled, so that a crash does not lose it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import endings
from .candidates import SILENCE, Key, Reap, ReapClaim, end_of
from .changes import CancelAsked, WaitingCancelled
from .ledger import Ledger
from .model import EndedBy, Event, IntentKind, Run, Task, TaskStatus
from .policy import Mode


def claim_all(ledger: Ledger, claims: Sequence[ReapClaim]) -> list[bool]:
    """One after the other, parents before their children; whether each is the caller's."""
    return [_claim(ledger, claim) for claim in claims]


def _claim(ledger: Ledger, claim: ReapClaim) -> bool:
    reap = claim.reap
    task = ledger.task(reap.task_id)
    run = ledger.run(reap.task_id, reap.run_id)
    if task is None or run is None or not _is_as_judged(task, run, reap):
        return False
    if not _still_holds(ledger, reap) or (reap.ends and _is_ended_by_others(run)):
        return False
    if _goes_on(ledger, reap.task_id) or ledger.has_reap(reap.task_id, reap.run_id, reap.what):
        return False
    ledger.put_reap(claim)
    _tell(ledger, claim)
    if reap.ends:
        _end(ledger, claim)
    return True


def _is_as_judged(task: Task, run: Run, reap: Reap) -> bool:
    judged = reap.run_id, reap.status, reap.run_status
    return task.live and (task.run_id, task.status, run.status) == judged


def _still_holds(ledger: Ledger, reap: Reap) -> bool:
    """Whether the evidence is as it was. Time that has passed does not come back."""
    if reap.key is Key.ON_PARENT_CLOSE:
        return _parent_is_over(ledger, reap.parent_task_id or "")
    if reap.key in SILENCE:
        session = ledger.session(reap.supervisor, reap.session_id)
        return (0 if session is None else session.beats) == reap.beats
    return True


def _parent_is_over(ledger: Ledger, parent_id: str) -> bool:
    """Whether it has ended for all that is known, or is being ended by the reaper."""
    parent = ledger.task(parent_id)
    run = None if parent is None else ledger.run(parent_id, parent.run_id or "")
    if parent is None or run is None or _goes_on(ledger, parent_id):
        return False
    if parent.live:
        return ledger.has_reap(parent_id, run.run_id, end_of(parent.status, run.status))
    return not parent.half_seen


def _is_ended_by_others(run: Run) -> bool:
    """Whether somebody else has asked for its end, and may be obeyed."""
    disobeyed = run.cancel_asked_by is EndedBy.SUPERVISOR and run.at_large
    return run.cancel_open and not disobeyed


def _goes_on(ledger: Ledger, task_id: str) -> bool:
    """Whether a start on its thread is on its way, so that the task is about to be another."""
    return any(intent.kind is not IntentKind.CRON for intent in ledger.intents_on(task_id))


def _tell(ledger: Ledger, claim: ReapClaim) -> None:
    reap, at, detail = claim.reap, claim.at, _detail(claim.reap)
    task_id, run_id, status = reap.task_id, reap.run_id, reap.status
    if reap.ends:
        ledger.add_event(
            Event(
                at=at, kind="reaped", task_id=task_id, run_id=run_id, status=status, detail=detail
            )
        )
        return
    would = reap.mode is Mode.OBSERVE
    ledger.add_event(
        Event(
            at=at,
            kind="would_reap" if would else "abandoned",
            task_id=task_id,
            run_id=run_id,
            status=status,
            detail=detail,
        )
    )


def _detail(reap: Reap) -> Mapping[str, Any]:
    return {
        "rule": reap.rule,
        "policy": reap.policy,
        "mode": reap.mode.value,
        "key": reap.key.value,
        "action": reap.action.value,
        "evidence": reap.evidence,
    }


def _end(ledger: Ledger, claim: ReapClaim) -> None:
    reap = claim.reap
    if reap.status is TaskStatus.WAITING:
        waiting = WaitingCancelled(
            thread_id=reap.task_id, by=EndedBy.REAPER, at=claim.at, reason=reap.reason
        )
        endings.waiting_cancelled(ledger, waiting)
        return
    asked = CancelAsked(
        thread_id=reap.task_id,
        run_id=reap.run_id,
        by=EndedBy.REAPER,
        at=claim.at,
        reason=reap.reason,
    )
    endings.cancel_asked(ledger, asked)
