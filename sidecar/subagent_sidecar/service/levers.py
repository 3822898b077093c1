"""Budgets, and what operators do by hand."""

from collections.abc import Callable, Sequence
from random import getrandbits

from ..core.acts import AdminActed
from ..core.changes import BudgetRaised, BudgetTold, Frozen, Told, Unfrozen
from ..core.matching import Scope
from ..core.model import Timestamp
from ..core.policy import Amounts, Budget
from ..core.verdict import Check, Freeze
from ..recorder import Recorder


class Levers:
    """What operators do is on record when the method returns, or StoreError."""

    def __init__(self, *, recorder: Recorder, now: Callable[[], Timestamp]) -> None:
        self._recorder = recorder
        self._now = now

    def budget_told(self, told: Told, check: Check, *, tasks: Sequence[str] = ()) -> None:
        """A budget is past a threshold; posted like what passes by."""
        self._recorder.post(BudgetTold(told=told, check=check, at=self._now(), tasks=tuple(tasks)))

    def acted(self, act: AdminActed) -> None:
        """Somebody did something by the admin plane; posted, for acts that were done are done."""
        self._recorder.post(act)

    async def freeze(self, scope: Scope, scope_id: str, reason: str | None) -> Freeze:
        """The very next start there is refused, follow-ups included."""
        freeze = Freeze(scope=scope, scope_id=scope_id, reason=reason, at=self._now())
        await self._recorder.enter_now([Frozen(freeze=freeze, at=freeze.at)])
        return freeze

    async def unfreeze(self, scope: Scope, scope_id: str) -> None:
        """Nothing happens where nothing is frozen."""
        await self._recorder.enter_now([Unfrozen(scope=scope, scope_id=scope_id, at=self._now())])

    async def raise_budget(self, budget: Budget, scope_id: str, amounts: Amounts) -> None:
        """Add `amounts` to what the budget allows in one scope, for good."""
        raised = BudgetRaised(
            raise_id=f"{getrandbits(128):032x}",
            budget=budget.name,
            scope=budget.per,
            scope_id=scope_id,
            amounts=amounts,
            at=self._now(),
        )
        await self._recorder.enter_now([raised])
