"""What a replay comes to: how many starts by which rule, and what they used on record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .decisions import Decision
from .model import Timestamp
from .past import PastStart
from .replay import Fate, Outcome
from .replay_world import worked
from .verdict import Check


@dataclass(slots=True)
class Saved:
    """What runs used, as far as it is known: unknown is not zero, so those of which it is not
    known (whole) are counted. `run_time` in microseconds."""

    runs: int = 0
    micro_usd: int = 0
    tokens: int = 0
    run_time: int = 0
    cost_unknown: int = 0
    tokens_unknown: int = 0
    run_time_unknown: int = 0

    def add(self, start: PastStart) -> None:
        time = worked(start)
        # Nothing was ever seen of a run that ended without a token.
        counted = start.settled and start.tokens > 0
        self.runs += 1
        self.micro_usd += start.cost_micro_usd
        self.tokens += start.tokens
        self.run_time += time or 0
        self.cost_unknown += not counted or start.unpriced > 0
        self.tokens_unknown += not counted
        self.run_time_unknown += time is None


@dataclass(slots=True)
class ByRule:
    """`first` and `last` are when; `refusals` how many of those that were refused on record it
    would have refused as well."""

    rule: str
    policy: str
    starts: int = 0
    refusals: int = 0
    first: Timestamp | None = None
    last: Timestamp | None = None
    saved: Saved = field(default_factory=Saved)

    def add(self, at: Timestamp, start: PastStart | None, times: int = 1) -> None:
        if start is None:
            self.refusals += times
            return
        self.starts += 1
        self.first = self.first or at
        self.last = at
        self.saved.add(start)


@dataclass(slots=True)
class Sums:
    """`starts` are those on record since then that came through the sidecar; `past_us` those that
    did not. `refusals` were refused on record; `would_pass` of them would have been let in, and
    `moot` ones not even been tried."""

    starts: int = 0
    refused: int = 0
    orphaned: int = 0
    past_us: int = 0
    refusals: int = 0
    would_pass: int = 0
    moot: int = 0
    saved: Saved = field(default_factory=Saved)
    orphans: Saved = field(default_factory=Saved)
    _by_rule: dict[str, ByRule] = field(default_factory=dict)
    _observed: dict[str, ByRule] = field(default_factory=dict)

    @property
    def by_rule(self) -> Mapping[str, ByRule]:
        return dict(sorted(self._by_rule.items()))

    @property
    def observed(self) -> Mapping[str, ByRule]:
        """By rules that only observe: would be recorded, and let in."""
        return dict(sorted(self._observed.items()))

    def add(self, outcome: Outcome) -> None:
        past = outcome.past
        if isinstance(past, Decision):
            self._add_refusal(outcome)
            return
        match outcome.fate:
            case Fate.BEFORE:
                return
            case Fate.UNASKED:
                self.past_us += 1
                return
            case Fate.ORPHANED:
                self.orphaned += 1
                self.orphans.add(past)
                self.saved.add(past)
            case Fate.REFUSED:
                self.refused += 1
                self.saved.add(past)
            case Fate.LET_IN:
                pass
        self.starts += 1
        self._add_checks(outcome, past.at, past)

    def _add_refusal(self, outcome: Outcome) -> None:
        if outcome.fate is Fate.BEFORE:
            return
        times = outcome.times
        self.refusals += times
        self.would_pass += times * (outcome.fate is Fate.LET_IN)
        self.moot += times * (outcome.fate is Fate.ORPHANED)
        self._add_checks(outcome, outcome.past.at, None)

    def _add_checks(self, outcome: Outcome, at: Timestamp, start: PastStart | None) -> None:
        if outcome.check is not None:
            _of(self._by_rule, outcome.check).add(at, start, outcome.times)
        for check in _once(outcome.observed):
            _of(self._observed, check).add(at, start, outcome.times)


def _once(checks: Iterable[Check]) -> Iterable[Check]:
    """One for each rule: a budget asks several questions."""
    return {check.rule: check for check in checks}.values()


def _of(rules: dict[str, ByRule], check: Check) -> ByRule:
    found = rules.get(check.rule)
    if found is None:
        found = rules[check.rule] = ByRule(rule=check.rule, policy=check.policy)
    return found
