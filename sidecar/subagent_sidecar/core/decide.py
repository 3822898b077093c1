"""May this start? Every rule that concerns the call is asked, by numbers counted at one moment.

    decide(policy, numbers, call, now) -> Allow | Deny

It is exact if the numbers are counted in the transaction that also puts the start on record.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from operator import gt
from typing import Protocol

from .asking import NOTHING_SPENT, Asked, answer, beginning, of_budget, used
from .matching import Call, Scope
from .model import Timestamp
from .policy import NOTHING, Budget, Limit, LimitKind, Mode, Policy
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
    asked = policy.concerning(call, Asked)
    begun = asked.beginnings(now)
    counts = _counts(asked, numbers, call, begun)
    mosts, rooms = _add_spent(counts, asked, numbers, call, begun)
    if not any(map(gt, counts, rooms)):
        return Allow(call, asked, counts, mosts)
    answers = asked.answers(call, counts, mosts)
    if not any(answer.denies and answer.rule.mode is Mode.ENFORCE for answer in answers):
        return Allow(call, asked, counts, mosts, contested=True)
    answers = [_apart(answer, numbers, now) if answer.denies else answer for answer in answers]
    denied = [each for each in answers if each.denies and each.rule.mode is Mode.ENFORCE]
    return _deny(min(denied, key=lambda a: a.check.waiting_helps), answers, numbers, call, now)


_Beginnings = Sequence[Timestamp | None]
"""Asked.beginnings"""


def _apart(answer: Answer, numbers: Numbers, now: datetime) -> Answer:
    """With what is only held apart from what is spent."""
    rule, scope_id = answer.rule, answer.scope_id
    if scope_id is None or not isinstance(rule, Budget) or answer.what not in rule.reserve.amounts:
        return answer
    held = dict(numbers.reserved(rule, scope_id, beginning(rule.window, now)))
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


def _counts(asked: Asked, numbers: Numbers, call: Call, begun: _Beginnings) -> list[int]:
    """The numbers that its limits ask for."""
    counts = []
    for limit, kind, id_in, window in asked.limits:
        scope_id = id_in(call)
        if scope_id is None:  # nothing is in there yet, or it is no scope that it asks about
            count = call.depth if kind is _DEPTH else 0
        elif kind is _STARTS:
            count = numbers.started(limit, scope_id, begun[window])
        elif kind is _CONCURRENT:
            count = numbers.live(limit, scope_id)
        elif call.fingerprint is None:
            count = 0
        else:
            count = numbers.same(limit, scope_id, call, begun[window])
        counts.append(count)
    return counts


_CONCURRENT, _STARTS, _DEPTH = LimitKind.CONCURRENT, LimitKind.STARTS, LimitKind.DEPTH


def _add_spent(
    counts: list[int], asked: Asked, numbers: Numbers, call: Call, begun: _Beginnings
) -> tuple[Sequence[int], Sequence[int]]:
    """The numbers that its budgets ask for. Returns the `mosts` and `rooms` of all questions."""
    found, raised = [], False
    for budget, id_in, window in asked.budgets:
        scope_id = id_in(call)
        spent = NOTHING_SPENT
        if scope_id is not None:
            spent = numbers.spent(budget, scope_id, begun[window])
        counts += used(budget, spent)
        found.append(spent)
        raised = raised or spent.raised is not NOTHING
    if not raised:
        return asked.mosts, asked.rooms
    mosts = asked.raised(found)
    return mosts, asked.rooms_of(mosts)


def spending(budget: Budget, spent: Spent, scope_id: str | None) -> Iterator[Answer]:
    """What a budget says of what was spent: an answer for each amount it limits."""
    raised, held = spent.raised.amounts, dict(spent.reserved)
    for question, current in zip(of_budget(budget), used(budget, spent), strict=True):
        what = question.what
        found = answer(question, current, question.most + raised.get(what, 0), scope_id)
        yield found._replace(held=held[what]) if what in held else found


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
        since = beginning(rule.window, now)
        return numbers.holders(rule, scope_id, call, since, check.what)
    return numbers.named(rule, scope_id, call)


def _retry_after(
    check: Check, rule: Limit | Budget, numbers: Numbers, call: Call, now: datetime
) -> timedelta | None:
    """When enough will have left the window, or will be known of runs that have ended; None where
    nobody can tell."""
    if check.held_back and not check.held.live:
        return _READ_WITHIN
    since = beginning(check.window, now)
    if since is None or check.window is None or check.scope_id is None:
        return None
    excess = check.current + check.wants - check.limit
    at = numbers.eases(rule, check.scope_id, call, since, check.what, excess)
    if at is None:
        return None
    left = datetime.fromisoformat(at) + check.window - now
    # Counted is what began at the very moment of `since` as well.
    return max(left, timedelta()) + timedelta(microseconds=1)
