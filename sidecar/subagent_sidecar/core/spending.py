"""The running sum of what a budget counts: a gauge as those in gauges.py."""

from bisect import bisect_left, insort
from itertools import accumulate
from operator import attrgetter

from .facts import Fact, Unit, microseconds
from .matching import Call, same_caller
from .model import Timestamp
from .policy import Budget, OnUnpriced
from .quick import made
from .verdict import Held, Named, Spent

_new_spent = made(Spent)


class Spending:
    """What runs have used, those at work included: as long as that is not known for good, each
    counts the budget's reserve at least."""

    def __init__(self, budget: Budget, since: Timestamp | None) -> None:
        self.floor = since or ""
        self._reserve = budget.reserve.amounts
        timed = budget.limit.run_time is not None
        self.by_unit = since is not None or timed or bool(self._reserve)
        assumes = budget.on_unpriced is OnUnpriced.ASSUME
        self._assumed = budget.assumed_micro_usd if assumes else 0
        self._timed = timed
        self._micro_usd = self._tokens = self._run_time = self._runs = self._unpriced = 0
        self._at_work: dict[Unit, int] = {}
        self._open: dict[Unit, Fact] = {}
        """Those that may hold something; looked through when somebody asks how much."""
        self._kept: dict[Unit, _Kept] = {}
        self._order: list[_Kept] = []

    def move(self, old: Fact | None, new: Fact | None) -> None:
        if old is not None and new is not None and _uses_the_same(old, new):
            kept = self._kept.pop(old.unit, None)
            if kept is not None:
                kept.fact, kept.unit = new, new.unit
                self._kept[new.unit] = kept
            if self._open.pop(old.unit, None) is not None:
                self._open[new.unit] = new
            return
        kept = None
        if old is not None and old.at >= self.floor:
            kept = self._take(old.unit, old)
        if new is not None:
            self.begin(new, kept)

    def renamed(self, unit: Unit, now: Unit) -> None:
        """A start on its way is a run by now, and has used nothing yet."""
        kept = self._kept.pop(unit, None)
        if kept is not None:
            kept.unit = now
            self._kept[now] = kept
        fact = self._open.pop(unit, None)
        if fact is not None:
            self._open[now] = fact

    def begin(self, fact: Fact, kept: "_Kept | None" = None) -> None:
        """`kept` is where it stood before."""
        if fact.at < self.floor:
            return
        self._sum(fact, 1)
        if self._timed and fact.began is not None:
            self._at_work[fact.unit] = microseconds(fact.began)
        if fact.open and self._reserve:
            self._open[fact.unit] = fact
        if not self.floor:
            return
        if kept is None:
            kept = _Kept(fact)
            if not self._order or fact.at >= self._order[-1].at:
                self._order.append(kept)
            else:
                insort(self._order, kept, key=_at)
        kept.fact, kept.unit = fact, fact.unit
        self._kept[fact.unit] = kept

    def _take(self, unit: Unit, fact: Fact) -> "_Kept | None":
        self._sum(fact, -1)
        self._at_work.pop(unit, None)
        self._open.pop(unit, None)
        kept = self._kept.pop(unit, None)
        if kept is not None:
            kept.fact = None
        return kept

    def _sum(self, fact: Fact, sign: int) -> None:
        """What the fact adds, but for the time of a run at work, which goes on."""
        usd, tokens, time = fact.micro_usd, fact.tokens, fact.run_time
        if self._reserve and fact.open:
            usd = max(usd, self._reserve.get("micro_usd", 0))
            tokens = max(tokens, self._reserve.get("tokens", 0))
            if fact.began is None:
                time = max(time, self._reserve.get("run_time", 0))
        self._micro_usd += sign * usd
        self._tokens += sign * tokens
        self._run_time += sign * time
        self._runs += sign
        self._unpriced += sign * fact.unpriced

    def total(self, since: Timestamp | None, now: Timestamp) -> Spent:
        if since is not None:
            self._forget(since)
        time = self._run_time
        if self._at_work:
            moment, least = microseconds(now), self._reserve.get("run_time", 0)
            time += sum(max(moment - began, least) for began in self._at_work.values())
        return _new_spent(
            micro_usd=self._micro_usd,
            tokens=self._tokens,
            run_time=time,
            runs=self._runs,
            unpriced=self._unpriced,
        )

    def reserved(self, since: Timestamp | None, now: Timestamp) -> tuple[tuple[str, Held], ...]:
        """What of `total` is only held, by amount; nothing of those that hold nothing."""
        if since is not None:
            self._forget(since)
        found = []
        for what, least in self._reserve.items():
            amount = runs = live = 0
            for fact in self._open.values():
                left = least - _amount(fact, what, now)
                if left > 0:
                    amount, runs, live = amount + left, runs + 1, live + fact.live
            if runs:
                found.append((what, Held(amount, runs, live)))
        return tuple(found)

    def holders(self, what: str, caller: Call, now: Timestamp) -> Named:
        """The tasks with runs that are not over and hold some, the longest there first; `others`
        are runs."""
        least = self._reserve.get(what, 0)
        live = [fact for fact in self._open.values() if fact.live]
        found = sorted((fact for fact in live if _amount(fact, what, now) < least), key=_at)
        own = [fact.call.task_id for fact in found if same_caller(fact.call, caller)]
        return Named([one for one in own if one is not None], len(found) - len(own))

    def _forget(self, since: Timestamp) -> None:
        """Let go of what was started before."""
        if self._order and self._order[0].at < since:
            gone = bisect_left(self._order, since, key=_at)
            for kept in self._order[:gone]:
                if kept.fact is not None:
                    self._take(kept.unit, kept.fact)
            del self._order[:gone]
        self.floor = since

    def eases(self, what: str, by: int, now: Timestamp) -> Timestamp | None:
        """When that was started with which `by` of `what` will have left the window."""
        facts = [kept.fact for kept in self._order if kept.fact is not None]
        left = accumulate(self._counted(fact, what, now) for fact in facts)
        return next((f.at for f, gone in zip(facts, left, strict=True) if gone >= by), None)

    def _counted(self, fact: Fact, what: str, now: Timestamp) -> int:
        """What leaves with the fact: what it holds as well, and what is assumed of it."""
        amount = _amount(fact, what, now)
        if fact.open:
            amount = max(amount, self._reserve.get(what, 0))
        return amount + (self._assumed if what == "micro_usd" and fact.unpriced else 0)


def _uses_the_same(one: Fact, other: Fact) -> bool:
    return (
        one.open == other.open
        and one.began == other.began
        and one.tokens == other.tokens
        and one.micro_usd == other.micro_usd
        and one.run_time == other.run_time
        and one.unpriced == other.unpriced
        and (one.unit == other.unit or one.began is None)
    )


class _Kept:
    """A place in the order of time; `fact` is None where nothing is left of what stood there. It
    may have been renamed since: it goes by `unit`."""

    __slots__ = ("at", "fact", "unit")

    def __init__(self, fact: Fact) -> None:
        self.at = fact.at
        self.unit = fact.unit
        self.fact: Fact | None = fact


_at = attrgetter("at")


def _amount(fact: Fact, what: str, now: Timestamp) -> int:
    match what:
        case "runs":
            return 1
        case "unpriced":
            return int(fact.unpriced)
        case "run_time" if fact.began is not None:
            return max(microseconds(now) - microseconds(fact.began), 0)
        case _:
            amount: int = getattr(fact, what)
            return amount
