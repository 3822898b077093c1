"""What another policy would have made of the starts on record.

    replay(policy, record, since=...) -> one Outcome for each start, in order of time

`record` is what was let in (PastStart) and what was refused (Decision), in order of time. The
policy is asked by `decide`, as if it had come into force at `since`: everything before is as it
was. Its numbers count what *it* let in: a start that it refuses frees what it took on record, and
takes with it what could not have been without it, the follow-ups and the children of its task.

A start that was refused on record and would have been let in counts as a start and no more
(replay_world.World.enter_unmade). What is not replayed: freezes (what they refused stays so),
raised budgets, the clocks and cancels of the policy, starts that the agent server refused, crons,
and runs that were started past the sidecar, which are taken as they came. The same record gives
the same outcomes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from .decide import decide
from .decisions import Decision, Verdict
from .matching import Call
from .model import Timestamp, timestamp
from .past import Past, PastStart
from .policy import WINDOWED, Policy
from .quick import changed
from .replay_world import World
from .verdict import KEY, Allow, Check, Deny


class Fate(StrEnum):
    """BEFORE: it was before, or no policy decided it, and is taken as it was. UNASKED: it was
    started past the sidecar. ORPHANED: what it would have been part of, or started by, was not
    there."""

    BEFORE = "before"
    UNASKED = "unasked"
    LET_IN = "let_in"
    REFUSED = "refused"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`past` is a Decision where it was refused on record; then it may be the outcome of several
    that were alike (`times`). `check` is the question that refused it in the replay, `observed`
    those that would have, were their rules enforced."""

    past: Past
    fate: Fate
    times: int = 1
    check: Check | None = None
    observed: tuple[Check, ...] = ()


def replay(policy: Policy, record: Iterable[Past], *, since: Timestamp) -> Iterator[Outcome]:
    """See above. Refusals are told of only since `since`."""
    replayed = _Replay(policy, since)
    for _, batch in groupby(record, key=_batch):
        yield from replayed.decided(list(batch))


def _batch(past: Past) -> tuple[str, ...]:
    """Equal for the runs of one batch, which are let in together or not at all."""
    if isinstance(past, Decision):
        return past.at, "", past.intent_id
    if past.request_id is None:
        return past.at, past.task_id, past.run_id
    return past.at, past.request_id


def looks_back(policy: Policy, since: Timestamp) -> Timestamp | None:
    """What has ended before this moment plays no part in a replay since then; None: all does."""
    counted = [
        *(limit.window for limit in policy.limits if limit.kind in WINDOWED),
        *(budget.window for budget in policy.budgets),
    ]
    if None in counted:
        return None
    longest = max((window for window in counted if window is not None), default=timedelta())
    return timestamp(datetime.fromisoformat(since) - longest)


def _rules_of(checks: Sequence[Check]) -> list[str]:
    return [check.rule for check in checks]


def _froze(past: Decision) -> bool:
    """Or a key did: neither stands in a policy."""
    return any(check.what in ("frozen", KEY) for check in past.checks)


class _Replay:
    def __init__(self, policy: Policy, since: Timestamp) -> None:
        self._policy = policy
        self._since = since
        self._world = World(policy)
        self._now: Timestamp = ""
        self._absent: set[str] = set()
        """Tasks that would not have been."""

    def decided(self, batch: Sequence[Past]) -> Iterator[Outcome]:
        self._now = max(self._now, batch[0].at)
        self._world.pass_to(self._now)
        starts = [past for past in batch if isinstance(past, PastStart)]
        if not starts:
            for past in batch:
                if isinstance(past, Decision):
                    yield from self._refused(past)
        elif any(self._is_absent(start) for start in starts):
            yield from (self._missing(start, Fate.ORPHANED, None) for start in starts)
        elif starts[0].at < self._since or starts[0].request_id is None:
            fate = Fate.BEFORE if starts[0].at < self._since else Fate.UNASKED
            for start in starts:
                self._world.enter(start)
                yield Outcome(past=start, fate=fate)
        else:
            yield from self._asked(starts)

    def _asked(self, starts: Sequence[PastStart]) -> Iterator[Outcome]:
        """One after the other, each with those before it in place."""
        let_in: list[Outcome] = []
        for start in starts:
            verdict = self._decide(start.asked)
            if isinstance(verdict, Deny):
                for outcome in let_in:
                    assert isinstance(outcome.past, PastStart)
                    self._world.withdraw(outcome.past)
                yield from (self._missing(each, Fate.REFUSED, verdict.check) for each in starts)
                return
            self._world.enter(start)
            let_in.append(Outcome(past=start, fate=Fate.LET_IN, observed=verdict.observed))
        yield from let_in

    def _decide(self, call: Call) -> Allow | Deny:
        now = datetime.fromisoformat(self._now)
        asked = changed(call, wakes=True) if self._wakes(call) else call
        return decide(self._policy, self._world.numbers(self._now), asked, now)

    def _wakes(self, call: Call) -> bool:
        return call.update and not self._world.holds(call.task_id)

    def _is_absent(self, start: PastStart) -> bool:
        return start.parent_task_id in self._absent or start.task_id in self._absent

    def _missing(self, start: PastStart, fate: Fate, check: Check | None) -> Outcome:
        if not start.call.update:
            self._absent.add(start.task_id)
        return Outcome(past=start, fate=fate, check=check)

    def _refused(self, past: Decision) -> Iterator[Outcome]:
        """What was refused on record. Its session is the parent's task, if there is one."""
        call = changed(past.call, wakes=False)
        if past.at < self._since or past.verdict is not Verdict.DENY or _froze(past):
            yield Outcome(past=past, fate=Fate.BEFORE, times=past.times)
        elif call.task_id in self._absent or (call.depth > 0 and call.session in self._absent):
            yield Outcome(past=past, fate=Fate.ORPHANED, times=past.times)
        else:
            yield from self._asked_again(past, call)

    def _asked_again(self, past: Decision, call: Call) -> Iterator[Outcome]:
        """One after the other, all at the moment of the first: once one is refused, so is the
        rest."""
        let_in: list[tuple[Check, ...]] = []
        check: Check | None = None
        for number in range(past.times):
            verdict = self._decide(call)
            if isinstance(verdict, Deny):
                check = verdict.check
                break
            self._enter_unmade(past, call, number)
            let_in.append(verdict.observed)
        for _, alike in groupby(let_in, key=_rules_of):
            several = list(alike)
            yield Outcome(past=past, fate=Fate.LET_IN, times=len(several), observed=several[0])
        if check is not None:
            left = past.times - len(let_in)
            yield Outcome(past=past, fate=Fate.REFUSED, times=left, check=check)

    def _enter_unmade(self, past: Decision, call: Call, number: int) -> None:
        """Of several the threads are not known: each is a task of its own."""
        name = f"{past.intent_id}/{number}" if number else past.intent_id
        task_id = call.task_id or (past.thread_id if past.times == 1 else None) or name
        known = changed(call, task_id=task_id, tree_id=call.tree_id or task_id)
        self._world.enter_unmade((task_id, name), known, past.at)
