"""What is true of starts, kept beside the store: who holds a place, when it began, what it used.

Only what was acknowledged counts: a place is held from the moment the store let a start in until
the moment it has confirmed that the start came to nothing, or that its task is over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from subagent_sidecar.core.facts import item_call, items_of
from subagent_sidecar.core.matching import Call, Scope
from subagent_sidecar.core.model import Intent, IntentKind, Timestamp, timestamp
from subagent_sidecar.core.policy import Budget, Limit, LimitKind, Policy
from subagent_sidecar.core.verdict import Check


@dataclass(kw_only=True, eq=False)
class LetIn:
    """A start that was let in. `taken`: whether the server took it; None while it was not sent, or
    nobody knows. `used` counts tokens, `settled` says that there will be no more."""

    intent: Intent
    taken: bool | None = None
    on_record: bool = False
    over: bool = False
    used: int = 0
    settled: bool = False

    @property
    def call(self) -> Call:
        (item,) = items_of(self.intent)
        return item_call(self.intent, item)

    @property
    def task_id(self) -> str:
        assert self.intent.thread_id is not None
        return self.intent.thread_id

    @property
    def run_id(self) -> str:
        return f"run of {self.intent.intent_id}"

    @property
    def at(self) -> Timestamp:
        return self.intent.created_at


@dataclass(kw_only=True)
class World:
    """`waiting` are tasks that wait for a human: not at work, and not over."""

    policy: Policy
    starts: list[LetIn] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)

    @property
    def in_flight(self) -> list[LetIn]:
        return [start for start in self.starts if not start.on_record]

    @property
    def at_work(self) -> list[LetIn]:
        """Of every task the run whose turn it is."""
        first: dict[str, LetIn] = {}
        for start in self.starts:
            if start.on_record and not start.over:
                first.setdefault(start.task_id, start)
        return list(first.values())

    @property
    def tasks(self) -> list[str]:
        """Those with a run on record."""
        return list(dict.fromkeys(start.task_id for start in self.starts if start.on_record))

    @property
    def rules(self) -> Sequence[Limit | Budget]:
        return [*self.policy.limits, *self.policy.budgets]

    def rooms(self, now: datetime) -> Iterator[tuple[str, str, int]]:
        """(rule, scope id, how much is left) of every rule, in every scope there is."""
        for rule in self.rules:
            assert rule.per is not None
            for scope_id in {start.call.scope_id(rule.per) for start in self.starts}:
                assert scope_id is not None
                yield rule.name, scope_id, self.room(rule, scope_id, now)

    def room(self, rule: Limit | Budget, scope_id: str, now: datetime) -> int:
        """How much more of what the rule counts there may be; below zero: it was exceeded."""
        if isinstance(rule, Limit):
            return rule.most - self._counted(rule, scope_id, now)
        ((what, most),) = rule.limit.said
        return most - self._spent(rule, scope_id, now, what)

    def justified(self, check: Check, now: datetime) -> bool:
        """Whether there was no room for a start that was refused just now."""
        return self.left(check, now) < check.wants

    def left(self, check: Check, now: datetime) -> int:
        """What `check` should have found."""
        assert check.scope_id is not None
        asked = next(rule for rule in self.rules if rule.name == check.rule)
        return self.room(asked, check.scope_id, now)

    def _counted(self, limit: Limit, scope_id: str, now: datetime) -> int:
        mine = list(self._in(limit, scope_id))
        if limit.kind is LimitKind.STARTS:
            since = "" if limit.window is None else timestamp(now - limit.window)
            new = [start for start in mine if start.intent.kind is not IntentKind.UPDATE]
            return sum(start.at >= since for start in new)
        assert limit.kind is LimitKind.CONCURRENT
        if limit.per is Scope.TASK:
            return sum(not start.over for start in mine)
        return len({s.task_id for s in mine if not s.over or s.task_id in self.waiting})

    def _spent(self, budget: Budget, scope_id: str, now: datetime, what: str) -> int:
        since = "" if budget.window is None else timestamp(now - budget.window)
        mine = [start for start in self._in(budget, scope_id) if start.at >= since]
        if what == "runs":
            return len(mine)
        reserve = dict(budget.reserve.said).get(what, 0)
        return sum(start.used if start.settled else max(start.used, reserve) for start in mine)

    def _in(self, rule: Limit | Budget, scope_id: str) -> Iterator[LetIn]:
        assert rule.per is not None
        for start in self.starts:
            call = start.call
            if rule.match.fits(call) and call.scope_id(rule.per) == scope_id:
                yield start
