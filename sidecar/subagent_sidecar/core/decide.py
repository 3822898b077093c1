"""May this start? Every rule that concerns the call is asked, by numbers counted at one moment.

    decide(policy, numbers, call, now) -> Allow | Deny

It is exact if the numbers are counted in the transaction that also puts the start on record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from .matching import Call
from .model import Timestamp, timestamp
from .policy import NOTHING, Amounts, Budget, Limit, LimitKind, Mode, OnUnpriced, Policy
from .verdict import OPERATOR, Allow, Check, Deny, Freeze

SHOWN = 5
"""How many tasks a refusal names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the runs of a scope have used so far, those at work included: each counts at least the
    budget's `reserve`. `run_time` in microseconds. `unpriced` runs have no price and are not in
    `micro_usd`. `raised` is what an operator has added to the budget since."""

    micro_usd: int = 0
    tokens: int = 0
    run_time: int = 0
    runs: int = 0
    unpriced: int = 0
    raised: Amounts = NOTHING


class Numbers(Protocol):
    """The counts that rules are held against; tests/support/counting.py is their meaning in code.

    Counted is what the rule's `match` fits, within the scope of that id; under Scope.TASK the runs
    of the task, else tasks. Starts on their way count like those that arrived. `since`: only what
    was started, or used, at that moment or later.
    """

    def frozen(self, call: Call) -> Freeze | None: ...

    def live(self, limit: Limit, scope_id: str) -> int:
        """How many have not ended."""

    def started(self, limit: Limit, scope_id: str, since: Timestamp | None) -> int: ...

    def same(self, limit: Limit, scope_id: str, call: Call, since: Timestamp | None) -> int:
        """How many were started with the call's agent and fingerprint."""

    def spent(self, budget: Budget, scope_id: str, since: Timestamp | None) -> Spent: ...

    def named(self, rule: Limit | Budget, scope_id: str, call: Call) -> Sequence[str]:
        """Up to SHOWN task ids for a refusal: under DUPLICATES the same ones, else live ones. Only
        of the call's own supervisor: a scope may hold tasks that are none of its business."""

    def eases(
        self, rule: Limit | Budget, scope_id: str, call: Call, since: Timestamp, what: str, by: int
    ) -> Timestamp | None:
        """When that was started, or used, with which `by` of `what` will have left the window;
        None where nobody can tell. `what` is a Check's."""


_Asked = tuple[Check, Limit | Budget]


def decide(policy: Policy, numbers: Numbers, call: Call, now: datetime) -> Allow | Deny:
    """What becomes of a start. Of several rules that deny, the caller is told of one where waiting
    does not help, if there is such a one, else of the first in the order of the files."""
    freeze = numbers.frozen(call)
    if freeze is not None:
        check = _frozen(freeze)
        return Deny(check=check, checks=(check,), reason=freeze.reason)
    asked = [*_limits(policy, numbers, call, now), *_budgets(policy, numbers, call, now)]
    checks = tuple(check for check, _ in asked)
    denied = [each for each in asked if each[0].enforced]
    if not denied:
        return Allow(checks=checks, near=tuple(_near(asked)))
    check, rule = min(denied, key=lambda each: each[0].waiting_helps)
    return _deny(check, rule, checks, numbers, call, now)


def _frozen(freeze: Freeze) -> Check:
    return Check(
        rule="freeze",
        policy=OPERATOR,
        mode=Mode.ENFORCE,
        what="frozen",
        limit=0,
        current=0,
        denies=True,
        scope=freeze.scope,
        scope_id=freeze.scope_id,
    )


def _limits(policy: Policy, numbers: Numbers, call: Call, now: datetime) -> Iterator[_Asked]:
    for limit in policy.limits_for(call):
        current = _current(limit, numbers, call, now)
        # What stands at a depth is compared with it; what is counted has this start to come.
        over = current > limit.most if limit.kind is LimitKind.DEPTH else current >= limit.most
        check = Check(
            rule=limit.name,
            policy=limit.policy,
            mode=limit.mode,
            what=limit.kind.value,
            limit=limit.most,
            current=current,
            denies=over,
            scope=limit.per,
            scope_id=None if limit.per is None else call.scope_id(limit.per),
            window=limit.window,
        )
        yield check, limit


def _current(limit: Limit, numbers: Numbers, call: Call, now: datetime) -> int:
    if limit.kind is LimitKind.DEPTH:
        return call.depth
    scope_id = None if limit.per is None else call.scope_id(limit.per)
    if scope_id is None:  # nothing is in there yet, or there is nothing to count
        return 0
    match limit.kind:
        case LimitKind.CONCURRENT:
            return numbers.live(limit, scope_id)
        case LimitKind.STARTS:
            return numbers.started(limit, scope_id, _since(limit.window, now))
        case LimitKind.DUPLICATES:
            if call.fingerprint is None:
                return 0
            return numbers.same(limit, scope_id, call, _since(limit.window, now))
        case LimitKind.DENY:
            return 0


def _budgets(policy: Policy, numbers: Numbers, call: Call, now: datetime) -> Iterator[_Asked]:
    for budget in policy.budgets_for(call):
        scope_id = call.scope_id(budget.per)
        spent = Spent()
        if scope_id is not None:
            spent = numbers.spent(budget, scope_id, _since(budget.window, now))
        for check in _spending(budget, spent, scope_id):
            yield check, budget


def _spending(budget: Budget, spent: Spent, scope_id: str | None) -> Iterator[Check]:
    raised, reserve = dict(spent.raised.said), dict(budget.reserve.said)
    for what, most in budget.limit.said:
        limit, current = most + raised.get(what, 0), getattr(spent, what)
        if what == "micro_usd" and budget.on_unpriced is OnUnpriced.ASSUME:
            current += spent.unpriced * budget.assumed_micro_usd
        wants = reserve.get(what, 1)
        yield _spent_check(budget, scope_id, what, limit=limit, current=current, wants=wants)
    if budget.limit.micro_usd is not None and budget.on_unpriced is OnUnpriced.DENY_NEW:
        unpriced = spent.unpriced
        yield _spent_check(budget, scope_id, "unpriced", limit=0, current=unpriced, wants=0)


def _spent_check(
    budget: Budget, scope_id: str | None, what: str, *, limit: int, current: int, wants: int
) -> Check:
    return Check(
        rule=budget.name,
        policy=budget.policy,
        mode=budget.mode,
        what=what,
        limit=limit,
        current=current,
        denies=current + wants > limit,
        wants=wants,
        scope=budget.per,
        scope_id=scope_id,
        window=budget.window,
    )


def _near(asked: Sequence[_Asked]) -> Iterator[Check]:
    for check, rule in asked:
        if isinstance(rule, Budget) and check.limit and check.current >= rule.soft(check.limit):
            yield check


def _deny(
    check: Check,
    rule: Limit | Budget,
    checks: tuple[Check, ...],
    numbers: Numbers,
    call: Call,
    now: datetime,
) -> Deny:
    tasks: Sequence[str] = ()
    retry_after = None
    if check.scope_id is not None:
        tasks = numbers.named(rule, check.scope_id, call)[:SHOWN]
        retry_after = _retry_after(check, rule, numbers, call, now)
    return Deny(check=check, checks=checks, tasks=tuple(tasks), retry_after=retry_after, rule=rule)


def _retry_after(
    check: Check, rule: Limit | Budget, numbers: Numbers, call: Call, now: datetime
) -> timedelta | None:
    """When enough will have left the window; None where nobody can tell."""
    since = _since(check.window, now)
    if since is None or check.window is None or check.scope_id is None:
        return None
    excess = check.current + check.wants - check.limit
    at = numbers.eases(rule, check.scope_id, call, since, check.what, excess)
    if at is None:
        return None
    left = datetime.fromisoformat(at) + check.window - now
    # Counted is what began at the very moment of `since` as well.
    return max(left, timedelta()) + timedelta(microseconds=1)


def _since(window: timedelta | None, now: datetime) -> Timestamp | None:
    return None if window is None else timestamp(now - window)
