"""Gauges of how things stand: the record, budgets, the policy."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..matching import Scope
from ..model import LIVE, Timestamp
from ..policy import Mode, Policy
from ..policy_state import PolicyState
from . import instruments as i
from .families import Family, Labels, filled, plain
from .labels import Whose
from .record import Census

_FROZEN = (Scope.GLOBAL, Scope.AGENT, Scope.SESSION)
_STATUSES = sorted(status.value for status in LIVE)


def of_record(census: Census, whose: Whose, now: Timestamp) -> Iterator[Family]:
    """What the books say at `now`."""
    live: Counter[Labels] = Counter()
    oldest: dict[Labels, float] = {}
    for one in census.live:
        upstream, agent = whose.pair(one.upstream, one.agent_name)
        live[upstream, agent, one.status.value] += one.tasks
        key = upstream, one.status.value
        oldest[key] = max(oldest.get(key, 0.0), _seconds(one.since, now))
    upstreams = [(name,) for name in whose.upstreams]
    statuses = [(*upstream, status) for upstream in upstreams for status in _STATUSES]
    yield filled(i.TASKS_LIVE, [(*p, s) for p in whose.pairs for s in _STATUSES], live)
    yield filled(i.TASKS_OLDEST, statuses, oldest)
    yield filled(i.CANCELS_UNCONFIRMED, upstreams, _by(census.unconfirmed.items(), whose))
    unsettled = [("under_way", census.under_way), ("in_doubt", census.in_doubt)]
    yield filled(
        i.STARTS_UNSETTLED,
        [(*upstream, state) for upstream in upstreams for state, _ in unsettled],
        {
            (*labels, state): count
            for state, counts in unsettled
            for labels, count in _by(counts.items(), whose).items()
        },
    )
    frozen: dict[Labels, float] = {
        (scope,): float(count) for scope, count in census.freezes.items()
    }
    yield filled(i.FREEZES, [(scope.value,) for scope in _FROZEN], frozen)


def _by(counts: Iterable[tuple[str, int]], whose: Whose) -> Counter[Labels]:
    found: Counter[Labels] = Counter()
    for upstream, count in counts:
        found[(whose.upstream(upstream),)] += count
    return found


def _seconds(since: Timestamp, now: Timestamp) -> float:
    age = datetime.fromisoformat(now) - datetime.fromisoformat(since)
    return max(age.total_seconds(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUse:
    """How the scopes of a budget stand, as far as anybody looked. `share` is what is used of it in
    the scope that is closest to its end; 1.0 is all of it."""

    share: float = 0.0
    near: int = 0
    exhausted: int = 0


def of_budgets(policy: Policy, uses: Mapping[str, BudgetUse]) -> Iterator[Family]:
    """`uses` by the budget's name; nothing is used of one that is not there."""
    named: list[tuple[Labels, BudgetUse]] = [
        ((b.policy, b.name), uses.get(b.name, BudgetUse())) for b in policy.budgets
    ]
    remaining: dict[Labels, float] = {labels: max(1.0 - use.share, 0.0) for labels, use in named}
    yield Family(i.BUDGET_REMAINING, remaining)
    yield Family(i.BUDGET_NEAR, {labels: float(use.near) for labels, use in named})
    yield Family(i.BUDGET_EXHAUSTED, {labels: float(use.exhausted) for labels, use in named})


def of_policy(state: PolicyState) -> Iterator[Family]:
    """What is in force."""
    policy = state.policy
    kinds = (("limit", policy.limits), ("budget", policy.budgets), ("lifecycle", policy.lifecycle))
    rules: Counter[Labels] = Counter(
        (kind, rule.mode.value) for kind, listed in kinds for rule in listed
    )
    known = [(kind, mode.value) for kind, _ in kinds for mode in Mode]
    yield Family(i.POLICY_INFO, {(state.version,): 1})
    yield filled(i.POLICY_RULES, known, rules)
    yield plain(i.POLICY_LOADED, datetime.fromisoformat(state.loaded_at).timestamp())
    reloads: dict[Labels, float] = {
        ("ok",): float(state.reloads),
        ("failed",): float(state.failures),
    }
    yield Family(i.POLICY_RELOADS, reloads)
    yield plain(i.POLICY_RELOAD_FAILED, float(state.failed is not None))
