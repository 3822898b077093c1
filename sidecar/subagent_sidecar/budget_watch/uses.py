"""What was last seen of the budgets' use, over all scopes: for metrics, which name no scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..core.budgets import Standing
from ..core.matching import Scope
from ..core.metrics.standing import BudgetUse

_PASSING = frozenset({Scope.TASK, Scope.SESSION, Scope.TREE})
_LATELY = timedelta(hours=1)
_MOST = 2_000
"""Scopes of one budget."""


@dataclass(frozen=True, slots=True)
class _Seen:
    share: float
    near: bool
    exhausted: bool
    moved_at: datetime
    window: timedelta | None

    def counts(self, now: datetime, *, passing: bool) -> bool:
        """Tasks, sessions and trees come to an end, and nobody says so: those in which nothing
        has moved for an hour count no more. Nor does what has left its window altogether."""
        age = now - self.moved_at
        return not (passing and age > _LATELY) and (self.window is None or age <= self.window)


class Uses:
    """Within bounds: of too many scopes of one budget those go that were seen first."""

    def __init__(self) -> None:
        self._budgets: dict[str, dict[str, _Seen]] = {}
        self._passing: set[str] = set()

    def put(self, kept: Standing, used: Standing, now: datetime, *, moved: bool) -> None:
        """How a budget stands in one scope, with what it reserves and without; `moved`: because
        something was spent there."""
        budget = kept.budget
        scopes = self._budgets.setdefault(budget.name, {})
        if budget.per in _PASSING:
            self._passing.add(budget.name)
        before = scopes.pop(kept.scope_id, None)
        scopes[kept.scope_id] = _Seen(
            share=kept.share,
            near=bool(kept.near),
            exhausted=bool(used.exhausted),
            moved_at=now if moved or before is None else before.moved_at,
            window=budget.window,
        )
        if len(scopes) > _MOST:
            del scopes[next(iter(scopes))]

    def forget(self) -> None:
        """Other rules hold now."""
        self._budgets.clear()
        self._passing.clear()

    def now(self, now: datetime) -> Mapping[str, BudgetUse]:
        """By the budget's name."""
        return {name: self._use(name, scopes, now) for name, scopes in self._budgets.items()}

    def _use(self, name: str, scopes: Mapping[str, _Seen], now: datetime) -> BudgetUse:
        passing = name in self._passing
        counting = [seen for seen in scopes.values() if seen.counts(now, passing=passing)]
        return BudgetUse(
            share=max((seen.share for seen in counting), default=0.0),
            near=sum(seen.near for seen in counting),
            exhausted=sum(seen.exhausted for seen in counting),
        )
