"""What operators do by hand: freeze, unfreeze, raise a budget; and what is told of budgets."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .changes import BudgetRaised, BudgetTold, Frozen, Told, Unfrozen
from .ledger import Ledger
from .matching import Scope
from .model import Event
from .units import duration_text

_TASKS_NAMED = 20


def frozen(ledger: Ledger, change: Frozen) -> None:
    freeze = change.freeze
    for known in ledger.freezes():
        if (known.scope, known.scope_id) == (freeze.scope, freeze.scope_id):
            # Frozen again: since before, and without a word for the reason it was given then.
            freeze = replace(freeze, at=known.at, reason=freeze.reason or known.reason)
    ledger.put_freeze(freeze)
    detail = {"scope": freeze.scope.value, "scope_id": freeze.scope_id}
    if freeze.reason:
        detail["reason"] = freeze.reason
    ledger.add_event(Event(at=change.at, kind="frozen", detail=detail))


def unfrozen(ledger: Ledger, change: Unfrozen) -> None:
    scopes = {(freeze.scope, freeze.scope_id) for freeze in ledger.freezes()}
    if (change.scope, change.scope_id) not in scopes:
        return
    ledger.drop_freeze(change.scope, change.scope_id)
    detail = {"scope": change.scope.value, "scope_id": change.scope_id}
    ledger.add_event(Event(at=change.at, kind="unfrozen", detail=detail))


def budget_raised(ledger: Ledger, change: BudgetRaised) -> None:
    if ledger.raised(change.raise_id):
        return
    ledger.put_raise(change)
    task_id = _task(change.scope, change.scope_id)
    detail = {
        "budget": change.budget,
        "scope": change.scope.value,
        "scope_id": change.scope_id,
        "added": dict(change.amounts.said),
    }
    ledger.add_event(Event(at=change.at, kind="budget_raised", task_id=task_id, detail=detail))


def budget_told(ledger: Ledger, change: BudgetTold) -> None:
    at, detail = change.at, _numbers(change)
    task_id = _task(change.check.scope, change.check.scope_id)
    if change.told is Told.NEAR:
        ledger.add_event(Event(at=at, kind="budget_near", task_id=task_id, detail=detail))
        return
    detail = {**detail, "tasks": list(change.tasks[:_TASKS_NAMED]), "count": len(change.tasks)}
    would = change.told is Told.WOULD_CANCEL
    ledger.add_event(
        Event(
            at=at,
            kind="would_cancel" if would else "budget_exhausted",
            task_id=task_id,
            detail=detail,
        )
    )


def _task(scope: Scope | None, scope_id: str | None) -> str | None:
    """Whose story it belongs to: what is counted of one task is a part of it."""
    return scope_id if scope is Scope.TASK else None


def _numbers(change: BudgetTold) -> Mapping[str, Any]:
    check = change.check
    detail: dict[str, Any] = {
        "rule": check.rule,
        "policy": check.policy,
        "mode": check.mode.value,
        "what": check.what,
        "limit": check.limit,
        "current": check.current,
    }
    if check.held.amount:
        detail["reserved"] = check.held.amount
    if check.scope is not None:
        detail |= {"scope": check.scope.value, "scope_id": check.scope_id}
    if check.window is not None:
        detail["window"] = duration_text(check.window)
    return detail
