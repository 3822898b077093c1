"""What the numbers of core.decide mean, in the plainest code: every store must count like this."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate

from subagent_sidecar.core.decide import SHOWN
from subagent_sidecar.core.matching import Call, Match, Scope, same_caller
from subagent_sidecar.core.model import IntentKind, Item, RunStatus, Timestamp
from subagent_sidecar.core.policy import (
    NOTHING,
    Amounts,
    Budget,
    Limit,
    LimitKind,
    OnUnpriced,
)
from subagent_sidecar.core.verdict import Freeze, Held, Named, Spent
from subagent_sidecar.store.memory_tables import Tables


@dataclass(kw_only=True)
class CountedRun:
    """A run on record, or on its way. `micro_usd` is None where its model has no price.

    `task_live` says whether its task is unfinished, `settled` whether what it used is known for
    good; None: as `live` has it.
    """

    call: Call
    at: Timestamp
    live: bool = True
    micro_usd: int | None = 0
    tokens: int = 0
    run_time: int = 0
    unpriced: bool = False
    task_live: bool | None = None
    settled: bool | None = None

    @property
    def holds(self) -> bool:
        return self.live if self.task_live is None else self.task_live

    @property
    def open(self) -> bool:
        return self.live if self.settled is None else not self.settled

    @property
    def task_id(self) -> str:
        assert self.call.task_id is not None
        return self.call.task_id


@dataclass
class Counted:
    """All runs in memory, counted anew for every question."""

    runs: list[CountedRun] = field(default_factory=list)
    freeze: Freeze | None = None
    raised: dict[tuple[str, str], Amounts] = field(default_factory=dict)

    def start(self, task_id: str, call: Call, at: Timestamp) -> CountedRun:
        """Put a start on record: a root task is its own tree."""
        known = replace(call, task_id=task_id, tree_id=call.tree_id or task_id)
        self.runs.append(CountedRun(call=known, at=at))
        return self.runs[-1]

    def frozen(self, call: Call) -> Freeze | None:
        if self.freeze is None or call.scope_id(self.freeze.scope) != self.freeze.scope_id:
            return None
        return self.freeze

    def live(self, limit: Limit, scope_id: str) -> int:
        return len(self._units(limit, scope_id, live=True))

    def started(self, limit: Limit, scope_id: str, since: Timestamp | None) -> int:
        return len(self._units(limit, scope_id, since=since))

    def same(self, limit: Limit, scope_id: str, call: Call, since: Timestamp | None) -> int:
        return len(self._units(limit, scope_id, since=since, like=call))

    def spent(self, budget: Budget, scope_id: str, since: Timestamp | None) -> Spent:
        runs = list(self._in(budget.match, budget.per, scope_id, since))
        reserve = dict(budget.reserve.said)

        def total(what: str) -> int:
            return sum(_counted(run, what, reserve.get(what, 0)) for run in runs)

        return Spent(
            micro_usd=total("micro_usd"),
            tokens=total("tokens"),
            run_time=total("run_time"),
            runs=len(runs),
            unpriced=total("unpriced"),
            raised=self.raised.get((budget.name, scope_id), NOTHING),
        )

    def reserved(
        self, budget: Budget, scope_id: str, since: Timestamp | None
    ) -> tuple[tuple[str, Held], ...]:
        runs = list(self._in(budget.match, budget.per, scope_id, since))
        found = []
        for what, least in budget.reserve.said:
            holding = [run for run in runs if _left(run, what, least) > 0]
            amount = sum(_left(run, what, least) for run in holding)
            if holding:
                found.append((what, Held(amount, len(holding), sum(r.live for r in holding))))
        return tuple(found)

    def holders(
        self, budget: Budget, scope_id: str, call: Call, since: Timestamp | None, what: str
    ) -> Named:
        least = dict(budget.reserve.said).get(what, 0)
        runs = self._in(budget.match, budget.per, scope_id, since)
        holding = [run for run in runs if run.live and _left(run, what, least) > 0]
        return _named(holding, range(len(holding)), call)

    def named(self, rule: Limit | Budget, scope_id: str, call: Call) -> Named:
        assert rule.per is not None
        of_task = rule.per is Scope.TASK
        runs = list(self._in(rule.match, rule.per, scope_id, None))
        if isinstance(rule, Limit) and rule.kind is LimitKind.DUPLICATES:
            runs = [run for run in runs if _alike(run.call, call)]
            runs = [run for run in runs if of_task or not run.call.update]
            return _named(runs, range(len(runs)), call)
        runs = [run for run in runs if (run.live if of_task else run.holds)]
        alone = [of_task or run.call.task_id is None for run in runs]
        units = [i if alone[i] else run.task_id for i, run in enumerate(runs)]
        return _named(runs, units, call)

    def eases(
        self, rule: Limit | Budget, scope_id: str, call: Call, since: Timestamp, what: str, by: int
    ) -> Timestamp | None:
        if isinstance(rule, Limit):
            like = call if rule.kind is LimitKind.DUPLICATES else None
            moments = sorted(self._units(rule, scope_id, since=since, like=like))
            return moments[by - 1] if by <= len(moments) else None
        runs = sorted(self._in(rule.match, rule.per, scope_id, since), key=lambda run: run.at)
        left = accumulate(_used(run, what, rule) for run in runs)
        return next((run.at for run, gone in zip(runs, left, strict=True) if gone >= by), None)

    def _units(
        self,
        limit: Limit,
        scope_id: str,
        *,
        since: Timestamp | None = None,
        live: bool = False,
        like: Call | None = None,
    ) -> list[Timestamp]:
        """When each was started: runs of the task; else starts, or what is live each task once."""
        assert limit.per is not None
        of_task = limit.per is Scope.TASK
        first: dict[object, Timestamp] = {}
        for index, run in enumerate(self._in(limit.match, limit.per, scope_id, None)):
            if live and not (run.live if of_task else run.holds):
                continue
            if like is not None and not _alike(run.call, like):
                continue
            if run.call.update and not of_task and not live:
                continue  # a follow-up starts no task
            alone = of_task or not live or run.call.task_id is None
            unit: object = index if alone else run.task_id
            first.setdefault(unit, run.at)
        return [at for at in first.values() if since is None or at >= since]

    def _in(
        self, match: Match, per: Scope, scope_id: str, since: Timestamp | None
    ) -> Iterator[CountedRun]:
        for run in self.runs:
            if since is not None and run.at < since:
                continue
            if match.fits(run.call) and run.call.scope_id(per) == scope_id:
                yield run


def _used(run: CountedRun, what: str, budget: Budget) -> int:
    """What is counted, and what is assumed of a run without a price."""
    counted = _counted(run, what, dict(budget.reserve.said).get(what, 0))
    assumes = what == "micro_usd" and budget.on_unpriced is OnUnpriced.ASSUME
    return counted + _counted(run, "unpriced", 0) * (budget.assumed_micro_usd if assumes else 0)


def _left(run: CountedRun, what: str, reserve: int) -> int:
    """What a run keeps in reserve beyond what it has used."""
    return reserve - (getattr(run, what) or 0) if run.open else 0


def _counted(run: CountedRun, what: str, reserve: int) -> int:
    if what == "runs":
        return 1
    if what == "unpriced":
        return int(run.unpriced or run.micro_usd is None)
    used = getattr(run, what) or 0
    return max(used, reserve) if run.open else int(used)


def _named(runs: Sequence[CountedRun], units: Sequence[object], call: Call) -> Named:
    """The ids of the caller's own, and how many units are others'."""
    own = [same_caller(run.call, call) for run in runs]
    ids = [run.call.task_id for run, mine in zip(runs, own, strict=True) if mine]
    others = {unit for unit, mine in zip(units, own, strict=True) if not mine}
    return Named([one for one in dict.fromkeys(ids) if one][:SHOWN], len(others))


def _alike(one: Call, other: Call) -> bool:
    return one.agent == other.agent and one.fingerprint == other.fingerprint


def counted(tables: Tables, now: Timestamp) -> Counted:
    """What is on record, run by run."""
    found = Counted()
    for run in tables.all_runs.values():
        task = tables.tasks[run.task_id]
        began, ended = run.started_at, run.ended_at
        verified = run.cancel_asked_at is None or run.cancel_confirmed_at is not None
        stopped = run.status is RunStatus.INTERRUPTED
        goes_on = run.cancel_unconfirmed_at is not None or (stopped and not verified)
        found.runs.append(
            CountedRun(
                call=Call(
                    agent=run.agent_name or task.agent_name,
                    upstream=task.upstream,
                    supervisor=task.supervisor,
                    session=task.session_id,
                    depth=task.depth,
                    task_id=task.task_id,
                    tree_id=task.tree_id or task.task_id,
                    fingerprint=run.fingerprint,
                    update=run.kind == "update",
                ),
                at=run.counted_at or run.created_at,
                live=ended is None or goes_on,
                micro_usd=run.cost_micro_usd,
                tokens=run.tokens,
                run_time=0 if began is None else _between(began, ended or now),
                unpriced=run.unpriced > 0,
                task_live=(
                    (task.ended_at is None and run.agent_name is None) or ended is None or goes_on
                ),
                settled=run.settled,
            )
        )
    for intent in tables.intents.values():
        if intent.kind is IntentKind.CRON:
            continue
        for item in intent.items or [
            Item(agent_name=intent.agent_name, fingerprint=intent.fingerprint)
        ]:
            call = Call(
                agent=item.agent_name or intent.agent_name,
                upstream=intent.upstream,
                supervisor=intent.supervisor,
                session=intent.session_id,
                depth=intent.depth,
                task_id=intent.thread_id,
                tree_id=intent.tree_id or intent.thread_id,
                fingerprint=item.fingerprint,
                update=intent.kind is IntentKind.UPDATE,
            )
            found.runs.append(CountedRun(call=call, at=intent.created_at))
    return found


def _between(began: Timestamp, ended: Timestamp) -> int:
    span = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
    return max(span // timedelta(microseconds=1), 0)
