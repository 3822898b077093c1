"""May this start? Every rule that concerns the call is asked, by numbers counted at one moment.

    decide(policy, numbers, call, now) -> Allow | Deny

It is exact if the numbers are counted in the transaction that also puts the start on record.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from .matching import SCOPE_ID, Call, Scope
from .model import Timestamp, timestamp
from .policy import Budget, Limit, LimitKind, Mode, OnUnpriced, Policy
from .verdict import NOTHING_HELD, OPERATOR, Allow, Answer, Check, Deny, Freeze, Held, Named, Spent

_READ_WITHIN = timedelta(seconds=2)
"""What a run used is read this soon after its end, if its server can be read."""

SHOWN = 5
"""How many tasks a refusal names."""


class Numbers(Protocol):
    """The counts that rules are held against; tests/support/counting.py is their meaning in code.

    Counted is what the rule's `match` fits, within the scope of that id; under Scope.TASK the runs
    of the task, else tasks, by their starts: a follow-up starts no task. Starts on their way count
    like those that arrived. `since`: only what was started at that moment or later.
    """

    def frozen(self, call: Call) -> Freeze | None: ...

    def live(self, limit: Limit, scope_id: str) -> int:
        """How many have not ended."""

    def started(self, limit: Limit, scope_id: str, since: Timestamp | None) -> int: ...

    def same(self, limit: Limit, scope_id: str, call: Call, since: Timestamp | None) -> int:
        """How many were started with the call's agent and fingerprint."""

    def spent(self, budget: Budget, scope_id: str, since: Timestamp | None) -> Spent: ...

    def reserved(
        self, budget: Budget, scope_id: str, since: Timestamp | None
    ) -> tuple[tuple[str, Held], ...]:
        """What of `spent` is only held: see Spent.reserved."""

    def holders(
        self, budget: Budget, scope_id: str, call: Call, since: Timestamp | None, what: str
    ) -> Named:
        """For a refusal: the tasks with runs that are not over and hold some. As `named`."""

    def named(self, rule: Limit | Budget, scope_id: str, call: Call) -> Named:
        """For a refusal: under DUPLICATES the same tasks, else live ones, the caller's own up to
        SHOWN. Its own are those of its supervisor and its session: others a model can neither wait
        for nor cancel, and many supervisors that say no name are one."""

    def eases(
        self, rule: Limit | Budget, scope_id: str, call: Call, since: Timestamp, what: str, by: int
    ) -> Timestamp | None:
        """When that was started, or used, with which `by` of `what` will have left the window,
        what is held or assumed included; None where nobody can tell. `what` is a Check's."""


def decide(policy: Policy, numbers: Numbers, call: Call, now: datetime) -> Allow | Deny:
    """What becomes of a start. Of several rules that deny, the caller is told of one where waiting
    does not help, if there is such a one, else of the first in the order of the files."""
    freeze = numbers.frozen(call)
    if freeze is not None:
        check = _frozen(freeze)
        return Deny(check=check, checks=(check,), reason=freeze.reason)
    limits, budgets = policy.concerning(call)
    windows = _Windows(now)
    answers = [_limit(limit, numbers, call, windows) for limit in limits]
    for budget in budgets:
        scope_id = call.scope_id(budget.per)
        spent = Spent()
        if scope_id is not None:
            spent = numbers.spent(budget, scope_id, windows.since(budget.window))
        answers.extend(spending(budget, spent, scope_id))
    against = [answer for answer in answers if answer.denies]
    if not any(answer.rule.mode is Mode.ENFORCE for answer in against):
        return Allow(tuple(answers), bool(against))
    answers = [_apart(answer, numbers, windows) if answer.denies else answer for answer in answers]
    denied = [each for each in answers if each.denies and each.rule.mode is Mode.ENFORCE]
    return _deny(min(denied, key=lambda a: a.check.waiting_helps), answers, numbers, call, now)


def _apart(answer: Answer, numbers: Numbers, windows: "_Windows") -> Answer:
    """With what is only held apart from what is spent."""
    rule, scope_id = answer.rule, answer.scope_id
    if scope_id is None or not isinstance(rule, Budget) or answer.what not in rule.reserve.amounts:
        return answer
    held = dict(numbers.reserved(rule, scope_id, windows.since(rule.window)))
    return answer._replace(held=held.get(answer.what, NOTHING_HELD))


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


def _limit(limit: Limit, numbers: Numbers, call: Call, windows: "_Windows") -> Answer:
    kind, per, most = limit.kind, limit.per, limit.most
    if per is None:
        # What stands at a depth is compared with it; what is counted has this start to come.
        depth, deep = (call.depth, call.depth > most) if kind is _DEPTH else (0, True)
        return _new(Answer, (limit, limit.what, most, depth, 1, deep, None, NOTHING_HELD))
    scope_id = SCOPE_ID[per](call)
    current = 0
    if scope_id is None:
        pass  # nothing is in there yet
    elif kind is _STARTS:
        current = numbers.started(limit, scope_id, windows.since(limit.window))
    elif kind is _CONCURRENT:
        current = numbers.live(limit, scope_id)
    elif call.fingerprint is not None:
        current = numbers.same(limit, scope_id, call, windows.since(limit.window))
    denies = current >= most
    return _new(Answer, (limit, limit.what, most, current, 1, denies, scope_id, NOTHING_HELD))


_new = tuple.__new__
"""A named tuple's own way of being made costs twice as much; this one knows no defaults."""
_CONCURRENT, _STARTS, _DEPTH = LimitKind.CONCURRENT, LimitKind.STARTS, LimitKind.DEPTH


def spending(budget: Budget, spent: Spent, scope_id: str | None) -> Iterator[Answer]:
    """What a budget says of what was spent: an answer for each amount it limits."""
    raised, reserve = spent.raised.amounts, budget.reserve.amounts
    held = dict(spent.reserved) if spent.reserved else _NONE_HELD
    for what, most in budget.limit.said:
        limit, current = most + raised.get(what, 0), getattr(spent, what)
        if what == "micro_usd" and budget.on_unpriced is OnUnpriced.ASSUME:
            current += spent.unpriced * budget.assumed_micro_usd
        wants = reserve.get(what, 1)
        denies = current + wants > limit
        kept = held.get(what, NOTHING_HELD) if held else NOTHING_HELD
        yield Answer(budget, what, limit, current, wants, denies, scope_id, kept)
    if budget.limit.micro_usd is not None and budget.on_unpriced is OnUnpriced.DENY_NEW:
        yield Answer(budget, "unpriced", 0, spent.unpriced, 0, spent.unpriced > 0, scope_id)


_NONE_HELD: Mapping[str, Held] = {}


def _deny(
    answer: Answer, answers: Sequence[Answer], numbers: Numbers, call: Call, now: datetime
) -> Deny:
    check, rule = answer.check, answer.rule
    named, retry_after = Named(), None
    if check.scope_id is not None:
        named = _in_the_way(check, rule, check.scope_id, numbers, call, now)
        retry_after = _retry_after(check, rule, numbers, call, now)
    return Deny(
        check=check,
        checks=tuple(each.check for each in answers),
        tasks=tuple(named.tasks[:SHOWN]),
        others=None if rule.per is Scope.TASK else named.others,
        retry_after=retry_after,
        rule=rule,
    )


def _in_the_way(
    check: Check, rule: Limit | Budget, scope_id: str, numbers: Numbers, call: Call, now: datetime
) -> Named:
    if check.held_back and isinstance(rule, Budget):
        since = _Windows(now).since(rule.window)
        return numbers.holders(rule, scope_id, call, since, check.what)
    return numbers.named(rule, scope_id, call)


def _retry_after(
    check: Check, rule: Limit | Budget, numbers: Numbers, call: Call, now: datetime
) -> timedelta | None:
    """When enough will have left the window, or will be known of runs that have ended; None where
    nobody can tell."""
    if check.held_back and not check.held.live:
        return _READ_WITHIN
    since = _Windows(now).since(check.window)
    if since is None or check.window is None or check.scope_id is None:
        return None
    excess = check.current + check.wants - check.limit
    at = numbers.eases(rule, check.scope_id, call, since, check.what, excess)
    if at is None:
        return None
    left = datetime.fromisoformat(at) + check.window - now
    # Counted is what began at the very moment of `since` as well.
    return max(left, timedelta()) + timedelta(microseconds=1)


class _Windows:
    """When the windows began that end now. Of most moments within a second only the end of the text
    is another, so the beginning is written once a second."""

    __slots__ = ("_heads", "_now", "_tail")

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._tail = f"{now.microsecond:06d}Z"
        first, last, self._heads = _LATELY[0]
        if not first <= now < last:  # or another thread asks about another time
            first, self._heads = now.replace(microsecond=0), {}
            _LATELY[0] = first, first + timedelta(seconds=1), self._heads

    def since(self, window: timedelta | None) -> Timestamp | None:
        if window is None:
            return None
        head = self._heads.get(window)
        if head is not None:
            return head + self._tail
        since = timestamp(self._now - window)
        if not window.microseconds:
            self._heads[window] = since[:20]
        return since


_NEVER = datetime.min.replace(tzinfo=UTC)
_LATELY: list[tuple[datetime, datetime, dict[timedelta, str]]] = [(_NEVER, _NEVER, {})]
"""The second that was asked about last, and its end; by window, when those began that end in it."""
