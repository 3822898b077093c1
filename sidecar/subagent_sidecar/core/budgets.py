"""How budgets stand: what is left of them, which scopes have used most, and what is spent.

The reserve of a budget is for starts: it keeps room for what runs at work may still use. What is
at work is not ended for room that is kept (`bare`), but for what was used indeed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nlargest

from .decide import Numbers, spending
from .model import Timestamp, timestamp
from .policy import NOTHING, Budget, Mode, OnExhausted, OnUnpriced
from .prices import usd_text
from .quick import changed
from .verdict import Answer, Held, Spent

BudgetIn = tuple[Budget, str]
"""A budget, and the id of a scope it counts in."""

_MOST_TOLD = 4
_PLAIN = {"micro_usd": "usd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a budget stands in one scope."""

    budget: Budget
    scope_id: str
    spent: Spent

    @property
    def answers(self) -> tuple[Answer, ...]:
        return tuple(spending(self.budget, self.spent, self.scope_id))

    @property
    def amounts(self) -> tuple[Answer, ...]:
        """The answers about what is limited; the price question is not among them."""
        return tuple(answer for answer in self.answers if answer.what != "unpriced")

    @property
    def near(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.amounts if answer.near)

    @property
    def exhausted(self) -> tuple[Answer, ...]:
        """What is spent altogether; that a run needs more than what is left is not enough."""
        return tuple(answer for answer in self.amounts if answer.current >= answer.limit)

    @property
    def spent_up(self) -> bool:
        """Whether some amount is spent altogether, without what is only held: as far as that was
        asked for."""
        return any(a.current - a.held.amount >= a.limit for a in self.amounts)

    @property
    def known(self) -> bool:
        """Whether what it cost is known, or assumed: else there is more than the sum says."""
        return not self.spent.unpriced or self.budget.on_unpriced is OnUnpriced.ASSUME

    @property
    def unpriced(self) -> bool:
        """Whether nobody knows what was spent, so that nothing starts any more."""
        return any(answer.denies for answer in self.answers if answer.what == "unpriced")

    @property
    def share(self) -> float:
        """How much is used of the amount that is nearest to its end; 1.0 is all of it."""
        return max((share_of(answer) for answer in self.amounts), default=0.0)


def spent(
    numbers: Numbers, asked: Iterable[BudgetIn], now: datetime, *, apart: bool = False
) -> Sequence[Spent]:
    """What was spent of each budget in each scope, in order; with `apart` also what of it is only
    held, for which every run in flight is looked at."""
    found = []
    for budget, scope_id in asked:
        since = _since(budget, now)
        one = numbers.spent(budget, scope_id, since)
        if apart and budget.reserve != NOTHING:
            one = changed(one, reserved=numbers.reserved(budget, scope_id, since))
        found.append(one)
    return found


def _since(budget: Budget, now: datetime) -> Timestamp | None:
    return None if budget.window is None else timestamp(now - budget.window)


def share_of(answer: Answer) -> float:
    if answer.limit > 0:
        return answer.current / answer.limit
    return 1.0 + answer.current  # of nothing, anything is too much


def bare(budget: Budget) -> Budget:
    """The budget without its reserve: it counts what was used and no more."""
    return budget if budget.reserve == NOTHING else replace(budget, reserve=NOTHING)


def near_apart(kept: Standing, used: Standing) -> Sequence[Answer]:
    """What is nearly spent in `kept`, with how much of it is only held: `used` is the same place
    without the reserve."""
    bare_of = {answer.what: answer.current for answer in used.amounts}
    return [
        answer._replace(held=Held(max(answer.current - bare_of[answer.what], 0)))
        for answer in kept.near
    ]


def ends_tasks(budget: Budget) -> bool:
    return budget.on_exhausted is OnExhausted.CANCEL


def most_used(
    budget: Budget, found: Iterable[tuple[str, Spent]], limit: int
) -> Sequence[tuple[str, Spent]]:
    """Of scopes and what they have spent the `limit` that have used the largest share."""

    def order(each: tuple[str, Spent]) -> tuple[float, str]:
        return Standing(budget=budget, scope_id=each[0], spent=each[1]).share, each[0]

    return nlargest(limit, found, key=order)


def remaining(standings: Iterable[Standing]) -> str | None:
    """The value of the header: `usd=0.37;rule=session-usd, tokens=1200;rule=team-day`, of enforced
    budgets that are nearly spent, the tightest first."""
    near = [
        answer
        for standing in standings
        if standing.budget.mode is Mode.ENFORCE
        for answer in standing.near
    ]
    tightest = sorted(near, key=share_of, reverse=True)[:_MOST_TOLD]
    return ", ".join(f"{_left(each)};rule={each.rule.name}" for each in tightest) or None


def _left(answer: Answer) -> str:
    left = max(answer.limit - answer.current, 0)
    name = _PLAIN.get(answer.what, answer.what)
    return f"{name}={amount_text(answer.what, left)}"


def amount_text(what: str, amount: int) -> str:
    """USD with two decimals at least and six at most, seconds rounded down, else the number."""
    match what:
        case "micro_usd":
            whole, _, rest = usd_text(amount).partition(".")
            return f"{whole}.{rest[:2]}{rest[2:].rstrip('0')}"
        case "run_time":
            return str(amount // 1_000_000)
        case _:
            return str(amount)
