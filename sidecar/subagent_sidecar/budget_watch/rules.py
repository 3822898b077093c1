"""The budgets of a policy as the watch uses them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..core.budgets import bare
from ..core.matching import EVERYTHING, Call, Scope
from ..core.policy import NOTHING, Budget, Policy


@dataclass(frozen=True, slots=True)
class Watched:
    """`used` is the budget without its reserve. It is made once for each policy: counts are kept
    by rule."""

    budget: Budget
    used: Budget

    @property
    def reserves(self) -> bool:
        return self.used is not self.budget

    @classmethod
    def of(cls, budget: Budget) -> "Watched":
        return cls(budget, bare(budget))


Place = tuple[Watched, str]
"""And the id of one of the scopes it counts in."""


class Places:
    """Where to look, each place once; `moved` are those where something was spent, or is about to
    be."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Place] = {}
        self._moved: set[tuple[str, str]] = set()

    @property
    def found(self) -> Collection[Place]:
        return self._found.values()

    def add(self, places: Iterable[Place], *, moved: bool = False) -> None:
        for rule, scope_id in places:
            key = rule.budget.name, scope_id
            self._found[key] = rule, scope_id
            if moved:
                self._moved.add(key)

    def moved(self, rule: Watched, scope_id: str) -> bool:
        return (rule.budget.name, scope_id) in self._moved


class WatchedRules:
    """What has to be looked at, and when."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._rules = [Watched.of(budget) for budget in policy.budgets]
        self.timed = any(budget.limit.run_time is not None for budget in policy.budgets)
        """Whether some are spent by time alone."""
        self.by_starts = any(
            budget.limit.runs is not None or budget.reserve != NOTHING for budget in policy.budgets
        )
        """Whether some are spent by starts alone."""

    def __bool__(self) -> bool:
        return bool(self._rules)

    def of(self, call: Call, *, timed: bool = False) -> Iterator[Place]:
        """The budgets that a task counts to, in their scopes; with `timed` those only that time
        alone spends."""
        for rule in self._rules:
            if timed and rule.budget.limit.run_time is None:
                continue
            scope_id = call.scope_id(rule.budget.per)
            if scope_id is not None and rule.budget.concerns(call):
                yield rule, scope_id

    def wide(self, upstreams: Sequence[str]) -> Iterator[Place]:
        """The budgets whose scopes are there without any task, in those."""
        scopes = {Scope.GLOBAL: [EVERYTHING], Scope.UPSTREAM: upstreams}
        for rule in self._rules:
            for scope_id in scopes.get(rule.budget.per, ()):
                yield rule, scope_id

    def named(self, name: str) -> Watched:
        return next(rule for rule in self._rules if rule.budget.name == name)
