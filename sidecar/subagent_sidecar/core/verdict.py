"""What may be answered to a start, and the questions that were asked on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from .matching import Call, Scope
from .model import Timestamp
from .policy import NOTHING, Amounts, Budget, Limit, LimitKind, Mode
from .quick import quick

if TYPE_CHECKING:
    from .asking import Asked

OPERATOR = "operator"
"""The policy of a freeze, which stands in no file."""

KEY = "key"
"""The policy of what a supervisor's key says, and `what` that asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The kill switch as it stands: over everything, or one agent or session, since `at`."""

    scope: Scope
    scope_id: str
    reason: str | None = None
    at: Timestamp = ""


class Held(NamedTuple):
    """What runs only keep in reserve beyond what they have used: how much, how many of them, and
    how many of those are not over. What a run does not use is given back when it is known what it
    used: that is a moment after its end."""

    amount: int = 0
    runs: int = 0
    live: int = 0


NOTHING_HELD = Held()
RESERVABLE = frozenset({"micro_usd", "tokens", "run_time"})
"""What can be held: fields of Amounts."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the runs of a scope have used so far, those at work included: each counts at least the
    budget's `reserve`. `run_time` in microseconds. `unpriced` runs have no price and are not in
    `micro_usd`. `raised` is what an operator has added to the budget since.

    `reserved` is what of these sums is held only, by amount; it is told where it was asked for,
    since a start is held against the sums alone.
    """

    micro_usd: int = 0
    tokens: int = 0
    run_time: int = 0
    runs: int = 0
    unpriced: int = 0
    raised: Amounts = NOTHING
    reserved: tuple[tuple[str, Held], ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question that was asked: a row of the record.

    `what` is a LimitKind, a field of Amounts, "unpriced", "frozen" or KEY. `current` is what is
    counted before this start, and `wants` what the start would add. `held` is the part of
    `current` that is not spent; it is known of what denies.
    """

    rule: str
    policy: str
    mode: Mode
    what: str
    limit: int
    current: int
    denies: bool
    wants: int = 1
    scope: Scope | None = None
    scope_id: str | None = None
    window: timedelta | None = None
    held: Held = NOTHING_HELD

    @property
    def enforced(self) -> bool:
        return self.denies and self.mode is Mode.ENFORCE

    @property
    def spent(self) -> int:
        """What is counted for good."""
        return self.current - self.held.amount

    @property
    def held_back(self) -> bool:
        """Whether nothing but what runs in flight keep in reserve is in the way."""
        return self.held.amount > 0 and self.spent + self.wants <= self.limit

    @property
    def waiting_helps(self) -> bool:
        """Whether it can be answered otherwise later, without anybody changing the rules."""
        return self.what == LimitKind.CONCURRENT or self.window is not None or self.held_back


class Answer(NamedTuple):
    """A Check that nobody has looked at yet: there is one for each rule with each start."""

    rule: Limit | Budget
    what: str
    limit: int
    current: int
    wants: int
    denies: bool
    scope_id: str | None
    held: Held = NOTHING_HELD

    @property
    def check(self) -> Check:
        rule = self.rule
        return Check(
            rule=rule.name,
            policy=rule.policy,
            mode=rule.mode,
            what=self.what,
            limit=self.limit,
            current=self.current,
            denies=self.denies,
            wants=self.wants,
            scope=rule.per,
            scope_id=self.scope_id,
            window=rule.window,
            held=self.held,
        )

    @property
    def near(self) -> bool:
        """Whether a budget is nearly spent."""
        return (
            isinstance(self.rule, Budget)
            and self.limit > 0
            and self.current >= self.rule.soft(self.limit)
        )


@quick
@dataclass(frozen=True, slots=True)
class Allow:
    """`call` was `asked`, `counts` are the numbers it was told, against `mosts` of each: usually
    `asked.mosts` itself. `contested`: a rule that observes was against it."""

    call: Call
    asked: "Asked"
    counts: Sequence[int]
    mosts: Sequence[int]
    contested: bool = False

    @property
    def answers(self) -> Sequence[Answer]:
        """All that were given; written where they are read, which is seldom."""
        return self.asked.answers(self.call, self.counts, self.mosts)

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(answer.check for answer in self.answers)

    @property
    def near(self) -> tuple[Check, ...]:
        """The budgets that are nearly spent."""
        return tuple(answer.check for answer in self.answers if answer.near)

    @property
    def observed(self) -> tuple[Check, ...]:
        """Those that would have denied, were their rules enforced."""
        return tuple(answer.check for answer in self.answers if answer.denies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """That it was one run of several which were to start together, or not at all. `counted`: so
    many of those before it are in the check's `current`, though none of them is there any more."""

    size: int
    counted: int = 0


class Named(NamedTuple):
    """Tasks that a refusal names: ids of the caller's own, and how many more there are that are
    none of its business; None where that is not known."""

    tasks: Sequence[str] = ()
    others: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """`check` is the one the caller is told of; `tasks` some ids of its own that are in use, or
    hold what is in the way, and `others` how many there are beside its own (Named). `at_large` are
    those of its own that are cancelled on record and go on at their server all the same."""

    check: Check
    checks: tuple[Check, ...]
    tasks: tuple[str, ...] = ()
    at_large: tuple[str, ...] = ()
    others: int | None = None
    retry_after: timedelta | None = None
    rule: Limit | Budget | None = None
    """None for a freeze, and for a key."""
    reason: str | None = None
    """Why it was frozen; what the key is for."""
    batch: Batch | None = None

    @property
    def code(self) -> str:
        """Stable, for programs."""
        match self.check.what:
            case "frozen":
                return "frozen"
            case "key":
                return "key_agents"
            case LimitKind.DENY:
                return "denied"
            case what if isinstance(self.rule, Budget):
                return f"budget_{_PLAIN.get(what, what)}"
            case what:
                return f"limit_{what}"

    @property
    def status(self) -> int:
        """402 for budgets, else 403: the ones that no SDK repeats."""
        return 402 if isinstance(self.rule, Budget) else 403


_PLAIN = {"micro_usd": "usd"}
