"""The policy language as values: what may start, what it may cost, how long it may live.

Four kinds of rule, one question each:

| rule | asks | of the rules that match |
|---|---|---|
| Limit | may this start now? | every one is asked |
| Budget | is there anything left to spend? | every one is asked |
| LifecycleRule | when does a task end that does not end? | for each key the last one wins |

Everything is exact: money in whole micro-USD, times as timedelta. An observing rule is asked like
an enforcing one, and what it says is recorded instead of done.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from itertools import chain
from typing import Any, TypeVar

from .matching import ANYTHING, Call, Match, Scope
from .prices import PriceList

T = TypeVar("T")


class Mode(StrEnum):
    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every rule has. `policy` is the name of the policy it stands in; `name` is unique over
    all that are loaded together."""

    name: str
    policy: str
    mode: Mode = Mode.ENFORCE
    match: Match = ANYTHING


class LimitKind(StrEnum):
    CONCURRENT = "concurrent"
    STARTS = "starts"
    DUPLICATES = "duplicates"
    DEPTH = "depth"
    DENY = "deny"


COUNTED = frozenset({LimitKind.CONCURRENT, LimitKind.STARTS, LimitKind.DUPLICATES})
"""The kinds that count something, `per` some scope."""

WINDOWED = frozenset({LimitKind.STARTS, LimitKind.DUPLICATES})
"""The kinds that may count within a window only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Rule):
    """At most `most` of what `kind` counts, among the tasks that the rule matches.

    `per` says within what they are counted: a scope holds tasks, but Scope.TASK holds the runs of
    one task. None of both for DEPTH and DENY; `most` is 0 for DENY. Without `window` it counts
    everything on record. `message` is the operator's own word to the model.
    """

    kind: LimitKind
    most: int = 0
    per: Scope | None = None
    window: timedelta | None = None
    message: str | None = None
    what: str = field(init=False, repr=False, compare=False)
    """The kind as plain text."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", self.kind.value)

    def concerns(self, call: Call) -> bool:
        return self.match.fits(call) and (not call.update or self._asked_of_updates(call))

    def _asked_of_updates(self, call: Call) -> bool:
        """A follow-up starts no task. What counts the runs of one, and what forbids the agent at
        all, has a say; and where a task had ended, what counts live ones."""
        if self.kind is LimitKind.CONCURRENT and call.wakes:
            return True
        return self.per is Scope.TASK or self.kind is LimitKind.DENY


class OnExhausted(StrEnum):
    DENY_NEW = "deny_new"
    CANCEL = "cancel"


class OnUnpriced(StrEnum):
    """What a run counts whose model has no price: a sum that is assumed, nothing, or nothing
    more is let in."""

    ASSUME = "assume"
    IGNORE = "ignore"
    DENY_NEW = "deny_new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What can be spent; None where nothing is said of it. Tokens are input and output together,
    `run_time` is the time runs were at work."""

    micro_usd: int | None = None
    tokens: int | None = None
    run_time: timedelta | None = None
    runs: int | None = None
    said: tuple[tuple[str, int], ...] = field(init=False, repr=False, compare=False)
    """(field, amount) of what is said; run time in whole microseconds."""
    amounts: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """The same by field."""

    def __post_init__(self) -> None:
        time = None if self.run_time is None else self.run_time // timedelta(microseconds=1)
        amounts = (
            ("micro_usd", self.micro_usd),
            ("tokens", self.tokens),
            ("run_time", time),
            ("runs", self.runs),
        )
        said = tuple((name, amount) for name, amount in amounts if amount is not None)
        object.__setattr__(self, "said", said)
        object.__setattr__(self, "amounts", dict(said))

    def plus(self, other: "Amounts") -> "Amounts":
        """Both together; nothing said counts as nothing."""
        mine, others = dict(self.said), dict(other.said)
        names = ("micro_usd", "tokens", "run_time", "runs")
        return Amounts.of_microseconds(*(mine.get(n, 0) + others.get(n, 0) for n in names))

    @classmethod
    def of_microseconds(cls, micro_usd: int, tokens: int, run_time: int, runs: int) -> "Amounts":
        """All four, `run_time` in microseconds."""
        time = timedelta(microseconds=run_time)
        return cls(micro_usd=micro_usd, tokens=tokens, run_time=time, runs=runs)


NOTHING = Amounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Rule):
    """At most `limit` within the scope (and the last `window`, if there is one).

    `reserve` is what a run in flight counts at least: with it, starts that are admitted at once
    cannot overspend together. `assumed_micro_usd` is what an unpriced run counts under ASSUME.
    """

    per: Scope
    limit: Amounts
    reserve: Amounts = NOTHING
    window: timedelta | None = None
    soft_at: Decimal = Decimal("0.8")
    on_exhausted: OnExhausted = OnExhausted.DENY_NEW
    on_unpriced: OnUnpriced = OnUnpriced.DENY_NEW
    assumed_micro_usd: int = 0
    message: str | None = None

    def concerns(self, call: Call) -> bool:
        return self.match.fits(call)

    def soft(self, limit: int) -> int:
        """The amount from which on the budget counts as nearly spent."""
        return int((self.soft_at * limit).to_integral_value(ROUND_CEILING))


class OnEnd(StrEnum):
    """What becomes of a task whose parent or session is gone."""

    ABANDON = "abandon"
    REQUEST_CANCEL = "request_cancel"
    TERMINATE = "terminate"


class Then(StrEnum):
    """What follows a cancel that the server took and did not carry out."""

    ESCALATE = "escalate"
    KEEP_ASKING = "keep_asking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The clocks and the habits. None: nothing is said; a clock of 0 is off.

    `queue`, `run`, `total`, `stall` and `waiting` are the clocks of a task. A session renews its
    `lease` every `heartbeat`; when it expired and `grace` has passed, its tasks are orphans.
    `idle` reaps on silence alone. `verify_for` and `then` are about cancels.
    """

    queue: timedelta | None = None
    run: timedelta | None = None
    total: timedelta | None = None
    stall: timedelta | None = None
    waiting: timedelta | None = None
    on_parent_close: OnEnd | None = None
    on_session_end: OnEnd | None = None
    heartbeat: timedelta | None = None
    lease: timedelta | None = None
    grace: timedelta | None = None
    idle: timedelta | None = None
    verify_for: timedelta | None = None
    then: Then | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule(Rule):
    settings: Lifecycle


@dataclass(frozen=True, slots=True)
class Settled:
    """The settings for one task, and of each that is set the rule that set it."""

    values: Lifecycle
    rules: Mapping[str, LifecycleRule]


_KINDS_OF_CALL = 4_096


class OnStoreError(StrEnum):
    """What becomes of starts while the store cannot be asked. Checks, streams and cancels pass."""

    FAIL_CLOSED = "fail_closed"
    FAIL_OPEN = "fail_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that was loaded, in order. None: nothing is said, the sidecar's default holds."""

    limits: tuple[Limit, ...] = ()
    budgets: tuple[Budget, ...] = ()
    lifecycle: tuple[LifecycleRule, ...] = ()
    coalesce: timedelta | None = None
    on_store_error: OnStoreError | None = None
    prices: PriceList = field(default_factory=dict)
    by_session: bool = field(init=False, repr=False, compare=False)
    """Whether some rule looks at the session's name."""
    by_agent: bool = field(init=False, repr=False, compare=False)
    guards_agents: bool = field(init=False, repr=False, compare=False)
    """Whether some start is refused or not because of whose it is."""
    _concerning: dict[tuple[object, ...], Any] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _made_of: dict[tuple[int, ...], Any] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_session", any(rule.match.session for rule in self.rules))
        object.__setattr__(self, "by_agent", any(rule.match.agent for rule in self.rules))
        asked: Iterator[Limit | Budget] = chain(self.limits, self.budgets)
        guards = any(
            rule.mode is Mode.ENFORCE and (rule.match.agent or rule.per is Scope.AGENT)
            for rule in asked
        )
        object.__setattr__(self, "guards_agents", guards)

    @property
    def rules(self) -> Iterator[Rule]:
        return chain(self.limits, self.budgets, self.lifecycle)

    def concerning(self, call: Call, make: Callable[[Sequence[Limit], Sequence[Budget]], T]) -> T:
        """What `make`, which is always the same, makes of the rules that are asked of a start, in
        order. Kept for its like: starts differ in few things that rules look at."""
        key = (
            call.agent,
            call.upstream,
            call.supervisor,
            call.session if self.by_session else None,
            call.depth,
            call.update,
            call.wakes,
        )
        found: T | None = self._concerning.get(key)
        if found is None:
            if len(self._concerning) >= _KINDS_OF_CALL:
                self._concerning.clear()
                self._made_of.clear()
            found = self._concerning[key] = self._made(call, make)
        return found

    def _made(self, call: Call, make: Callable[[Sequence[Limit], Sequence[Budget]], T]) -> T:
        limits = [limit for limit in self.limits if limit.concerns(call)]
        budgets = [budget for budget in self.budgets if budget.concerns(call)]
        rules = tuple(map(id, (*limits, *budgets)))
        found: T | None = self._made_of.get(rules)
        if found is None:
            found = self._made_of[rules] = make(limits, budgets)
        return found

    def lifecycle_for(self, call: Call, *, observed: bool = False) -> Settled:
        """The settings that hold for a task; with `observed` those that would hold if every rule
        were enforced. An observing rule never takes a place from an enforcing one."""
        return settled(
            rule
            for rule in self.lifecycle
            if (observed or rule.mode is Mode.ENFORCE) and rule.match.fits(call)
        )


def settled(rules: Iterator[LifecycleRule]) -> Settled:
    """For each key the last rule that sets it."""
    values: dict[str, object] = {}
    origin: dict[str, LifecycleRule] = {}
    for rule in rules:
        for key, value in set_keys(rule.settings):
            values[key] = value
            origin[key] = rule
    return Settled(Lifecycle(**values), origin)  # type: ignore[arg-type]  # keys of its own


def set_keys(settings: Lifecycle) -> Iterator[tuple[str, object]]:
    """(key, value) of what is said."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        if value is not None:
            yield each.name, value


def merged(parts: Sequence[Policy]) -> Policy:
    """Several policies as one: rules in order; of everything else the last word holds."""
    return Policy(
        limits=tuple(chain.from_iterable(part.limits for part in parts)),
        budgets=tuple(chain.from_iterable(part.budgets for part in parts)),
        lifecycle=tuple(chain.from_iterable(part.lifecycle for part in parts)),
        coalesce=_last(part.coalesce for part in parts),
        on_store_error=_last(part.on_store_error for part in parts),
        prices={name: price for part in parts for name, price in part.prices.items()},
    )


def _last(values: Iterator[T | None]) -> T | None:
    found: T | None = None
    for value in values:
        found = found if value is None else value
    return found
