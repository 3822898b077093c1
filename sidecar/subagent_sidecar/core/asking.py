"""The questions of a start: what the rules that concern it ask, worked out before it comes.

Starts of one kind (Policy.concerning) are asked the same, and nearly all are let in. So what does
not change is prepared once for all of them, of each start there is but a number for each question,
and answers are written where somebody wants to read them.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .matching import SCOPE_ID, Call
from .model import Timestamp, timestamp
from .policy import NOTHING, Budget, Limit, LimitKind, OnUnpriced
from .verdict import NOTHING_HELD, Answer, Spent

NOTHING_SPENT = Spent()
_NEVER, _SECOND = datetime.min.replace(tzinfo=UTC), timedelta(seconds=1)
_Second = tuple[datetime, datetime, list[str | None]]
"""The second that was asked about last, and its end; when the windows began that end in it."""
_NOWHERE: Callable[[Call], Any] = lambda call: None  # noqa: E731 - as those of SCOPE_ID


class Question(NamedTuple):
    """`what` is a Check's. The start is not to be if the number is more than `most`, this start
    included: it adds `step`. A depth is compared as it stands, though it `wants` one more."""

    rule: Limit | Budget
    what: str
    most: int
    wants: int
    step: int


class Asked:
    """The rules that concern a kind of starts, as `decide` goes through them, each with what tells
    its scope's id and the place of its window in `beginnings`; and the questions of all of them in
    one row. `rooms`: numbers above these deny. `text` is decisions.admitted with a `%d` for each
    number."""

    __slots__ = (
        "_broken",
        "_second",
        "_windows",
        "budgets",
        "limits",
        "mosts",
        "questions",
        "rooms",
        "text",
    )

    def __init__(self, limits: Sequence[Limit], budgets: Sequence[Budget]) -> None:
        rules: list[Limit | Budget] = [*limits, *budgets]
        self._windows = list(dict.fromkeys([None, *(rule.window for rule in rules)]))
        place = self._windows.index
        self.limits = [(one, one.kind, _id_in(one), place(one.window)) for one in limits]
        self.budgets = [(budget, _id_in(budget), place(budget.window)) for budget in budgets]
        self._broken = any(rule.window and rule.window.microseconds for rule in rules)
        self._second: _Second = (_NEVER, _NEVER, [])
        self.questions = [
            *(_of_limit(limit) for limit in limits),
            *(question for budget in budgets for question in of_budget(budget)),
        ]
        self.mosts: Sequence[int] = [question.most for question in self.questions]
        self.rooms = self.rooms_of(self.mosts)
        self.text = "\n".join(_line(question) for question in self.questions)

    def beginnings(self, now: datetime) -> list[Timestamp | None]:
        """When the windows began that end now; None for no window. Of most moments within a second
        only the end of the text is another, so the beginning is written once a second."""
        if self._broken:
            return [beginning(window, now) for window in self._windows]
        first, last, heads = self._second
        if not first <= now < last:  # or another thread asks about another time
            first, heads = now.replace(microsecond=0), []
            for window in self._windows:
                begun = beginning(window, first)
                heads.append(None if begun is None else begun[:20])
            self._second = first, first + _SECOND, heads
        tail = f"{now.microsecond:06d}Z"
        return [None if head is None else head + tail for head in heads]

    def rooms_of(self, mosts: Sequence[int]) -> list[int]:
        rows = zip(self.questions, mosts, strict=True)
        return [most - question.step for question, most in rows]

    def answers(self, call: Call, counts: Sequence[int], mosts: Sequence[int]) -> list[Answer]:
        rows = zip(self.questions, counts, mosts, strict=True)
        return [
            answer(question, current, most, _id_in(question.rule)(call))
            for question, current, most in rows
        ]

    def raised(self, spent: Sequence[Spent]) -> Sequence[int]:
        """`mosts` with what was added to the budgets, whose numbers are in `spent`."""
        raised = {
            id(budget): one.raised.amounts
            for (budget, _, _), one in zip(self.budgets, spent, strict=True)
        }
        nothing = NOTHING.amounts
        return [
            most + raised.get(id(question.rule), nothing).get(question.what, 0)
            for question, most in zip(self.questions, self.mosts, strict=True)
        ]


def beginning(window: timedelta | None, now: datetime) -> Timestamp | None:
    """When a window began that ends now."""
    return None if window is None else timestamp(now - window)


def answer(question: Question, current: int, most: int, scope_id: str | None) -> Answer:
    return Answer(
        question.rule,
        question.what,
        most,
        current,
        question.wants,
        current + question.step > most,
        scope_id,
        NOTHING_HELD,
    )


def _id_in(rule: Limit | Budget) -> Callable[[Call], Any]:
    return _NOWHERE if rule.per is None else SCOPE_ID[rule.per]


def _of_limit(limit: Limit) -> Question:
    return Question(limit, limit.what, limit.most, 1, 0 if limit.kind is LimitKind.DEPTH else 1)


def of_budget(budget: Budget) -> Iterator[Question]:
    """One for each amount it limits, and whether there are runs without a price."""
    reserve = budget.reserve.amounts
    for what, most in budget.limit.said:
        wants = reserve.get(what, 1)
        yield Question(budget, what, most, wants, wants)
    if budget.limit.micro_usd is not None and budget.on_unpriced is OnUnpriced.DENY_NEW:
        yield Question(budget, "unpriced", 0, 0, 0)


def used(budget: Budget, spent: Spent) -> list[int]:
    """The numbers of these questions."""
    numbers: list[int] = []
    for what in budget.limit.amounts:
        numbers.append(getattr(spent, what))
    if budget.limit.micro_usd is not None:
        if budget.on_unpriced is OnUnpriced.ASSUME:  # it is the first of them
            numbers[0] += spent.unpriced * budget.assumed_micro_usd
        elif budget.on_unpriced is OnUnpriced.DENY_NEW:
            numbers.append(spent.unpriced)
    return numbers


def _line(question: Question) -> str:
    return f"{question.rule.name} {question.what} %d/{question.most}"  # names have no % in them
