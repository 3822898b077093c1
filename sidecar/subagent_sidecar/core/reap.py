"""What is to end, and why: a pure plan over what is live, what sessions said, and the policy.

For each task, by the settings that hold for it (`Policy.lifecycle_for`), the first of these that
is true and asks for an end:

| key | true when | not before |
|---|---|---|
| on_session_end | its session was ended, after its newest run was asked for | |
| on_parent_close | its parent task has ended, after its newest run was asked for | grace (*) |
| total | its first start is so long ago | |
| run | its run has been running for so long | |
| queue | its run has been pending for so long | |
| stall | it was looked at for so long and nothing changed (signs.py) | |
| waiting | it has waited for a human for so long | |
| lease | its session was renewing a lease, and shows no sign any more (**) | lease and grace |
| idle | nothing was seen of its session for so long | grace |

A task that waits for a human is on the clocks `waiting` and `total` alone. `abandon` leaves a task
to itself, and it is told once. The grace of newcomers runs from their first start, and after a
restart from there: whoever was silent because nobody listened has that long to be heard. (*) A
parent that was cancelled will not go on, so its children get none. (**) Whatever was started when
the lease had lapsed was started by somebody who renews none, and is no orphan by it.

When a task is to end, its live descendants are asked in the same plan what they make of it
(`on_parent_close`), so that a tree ends as one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from . import reap_words as words
from .ages import Ages, Seen
from .candidates import Candidate, Key, Reap
from .model import RunStatus, TaskStatus, Timestamp
from .policy import LifecycleRule, Mode, OnEnd, Policy, Settled
from .sessions import GRACE, Session, SessionKey, lease_length

Still = Callable[[str, str, float], float]
"""Seconds for which a run (task id, run id, running since) was seen not to change."""

OWN_LEASE = "the session's own lease"
"""Stands for the rule where the policy says nothing of leases and the session asked for one."""

_REAPING = frozenset(key.value for key in Key)
_KINDS_OF_TASK = 10_000


@dataclass(frozen=True, slots=True)
class _Finding:
    key: Key
    rule: str
    policy: str
    action: OnEnd
    evidence: str
    reason: str


@dataclass(slots=True)
class _Terms:
    """What holds for a task, and what would if observing rules were enforced."""

    held: Settled | None
    observed: Settled | None
    earliest_s: float = field(init=False)
    """The shortest time after which a clock ends it."""
    idle_s: float = field(init=False)

    def __post_init__(self) -> None:
        said = [each.values for each in (self.held, self.observed) if each is not None]
        clocks = [(one.total, one.run, one.queue, one.stall, one.waiting) for one in said]
        self.earliest_s = _shortest(limit for limits in clocks for limit in limits)
        self.idle_s = _shortest(one.idle for one in said)


@dataclass(slots=True)
class Judge:
    """Asks one task after the other. Everything it is given is of one moment."""

    policy: Policy
    sessions: Mapping[SessionKey, Session]
    ages: Ages
    still: Still
    _terms: dict[tuple[object, ...], _Terms] = field(default_factory=dict)

    def of(self, candidate: Candidate) -> Iterable[Reap]:
        """What is to be done about a task: what would leave it alone, and then what ends it; or
        what would, if it were enforced."""
        terms = self._terms_of(candidate)
        return () if self._is_too_early(candidate, terms) else self._ends(candidate, terms)

    def _is_too_early(self, candidate: Candidate, terms: _Terms) -> bool:
        """Whether nothing can be true of it yet. So it is of most, which are asked no further."""
        if candidate.parent_end is not None:
            return False
        if self.sessions and candidate.session in self.sessions:
            return False
        ages = self.ages
        seen, now = ages.of(candidate.task_id), ages.now
        if now - seen.since >= terms.earliest_s or now - seen.phase_since >= terms.earliest_s:
            return False
        if terms.idle_s == inf:
            return True
        return now - ages.session(candidate.session).sign_since < terms.idle_s

    def _ends(self, candidate: Candidate, terms: _Terms) -> Iterator[Reap]:
        if terms.held is not None:
            for finding in self._found(candidate, terms.held):
                yield self._reap(candidate, finding, Mode.ENFORCE)
                if finding.action is not OnEnd.ABANDON:
                    return
        if terms.observed is not None:
            for finding in self._found(candidate, terms.observed):
                rule = terms.observed.rules.get(finding.key.value)
                if rule is None or rule.mode is not Mode.OBSERVE:
                    continue
                yield self._reap(candidate, finding, Mode.OBSERVE)
                if finding.action is not OnEnd.ABANDON:
                    return

    def falls(self, candidate: Candidate, parent: Reap) -> Reap | None:
        """What a task makes of it that its parent is about to end, if it is to end with it."""
        held = self._terms_of(candidate).held
        action = None if held is None else held.values.on_parent_close
        if held is None or action in (None, OnEnd.ABANDON):
            return None
        rule = held.rules[Key.ON_PARENT_CLOSE.value]
        evidence = words.falling_evidence(parent.task_id, parent.rule)
        finding = _orphan(Key.ON_PARENT_CLOSE, rule, action or OnEnd.REQUEST_CANCEL, evidence)
        return self._reap(candidate, finding, Mode.ENFORCE)

    def _terms_of(self, candidate: Candidate) -> _Terms:
        session = candidate.session_id if self.policy.by_session else None
        key = candidate.agent_name, candidate.upstream, candidate.supervisor, session
        terms = self._terms.get((*key, candidate.depth))
        if terms is None:
            if len(self._terms) >= _KINDS_OF_TASK:
                self._terms.clear()
            terms = self._terms[*key, candidate.depth] = _terms(self.policy, candidate)
        return terms

    # What is true of a task

    def _found(self, candidate: Candidate, settled: Settled) -> Iterator[_Finding]:
        seen = self.ages.of(candidate.task_id)
        yield from self._explicit(candidate, settled, seen)
        yield from self._clocks(candidate, settled, seen)
        yield from self._silent(candidate, settled, seen)

    def _explicit(self, candidate: Candidate, settled: Settled, seen: Seen) -> Iterator[_Finding]:
        said = settled.values
        if said.on_session_end is not None:
            session = self.sessions.get(candidate.session)
            if session is not None and self._ended_after(candidate, session, seen):
                rule = settled.rules[Key.ON_SESSION_END.value]
                evidence = words.session_end_evidence(session)
                yield _orphan(Key.ON_SESSION_END, rule, said.on_session_end, evidence)
        if said.on_parent_close is not None and candidate.parent_end is not None:
            asked_for = candidate.parent_end is TaskStatus.CANCELLED
            in_time = asked_for or self._is_no_newcomer(seen, said.grace)
            closed, ended_at = self.ages.closed(candidate), candidate.parent_ended_at or ""
            if in_time and _came_before(seen, closed, candidate, ended_at):
                rule = settled.rules[Key.ON_PARENT_CLOSE.value]
                evidence = words.parent_evidence(candidate)
                yield _orphan(Key.ON_PARENT_CLOSE, rule, said.on_parent_close, evidence)

    def _ended_after(self, candidate: Candidate, session: Session, seen: Seen) -> bool:
        ended = self.ages.session(candidate.session).ended
        return ended > 0 and _came_before(seen, ended, candidate, session.ended_at or "")

    def _clocks(self, candidate: Candidate, settled: Settled, seen: Seen) -> Iterator[_Finding]:
        said, now = settled.values, self.ages.now
        waits = candidate.status is TaskStatus.WAITING
        phase = now - seen.phase_since
        if said.total:
            yield from _clock(Key.TOTAL, now - seen.since, said.total, settled)
        if waits:
            if said.waiting:
                yield from _clock(Key.WAITING, phase, said.waiting, settled)
            return
        match candidate.run_status:
            case RunStatus.RUNNING:
                if said.run:
                    yield from _clock(Key.RUN, phase, said.run, settled)
                if said.stall and phase >= said.stall.total_seconds():
                    still = self.still(candidate.task_id, candidate.run_id, seen.phase_since)
                    yield from _clock(Key.STALL, still, said.stall, settled)
            case RunStatus.PENDING if said.queue:
                yield from _clock(Key.QUEUE, phase, said.queue, settled)

    def _silent(self, candidate: Candidate, settled: Settled, seen: Seen) -> Iterator[_Finding]:
        said = settled.values
        silent = self.ages.now - self.ages.session(candidate.session).sign_since
        yield from self._lapsed(candidate, settled, seen, silent)
        if not said.idle or not self._is_no_newcomer(seen, said.grace):
            return
        if silent >= said.idle.total_seconds():
            rule = settled.rules[Key.IDLE.value]
            evidence = words.idle_evidence(silent, said.idle, rule.name)
            yield _orphan(Key.IDLE, rule, said.on_session_end or OnEnd.REQUEST_CANCEL, evidence)

    def _lapsed(
        self, candidate: Candidate, settled: Settled, seen: Seen, silent: float
    ) -> Iterator[_Finding]:
        """To be gone is to have ended: the same is done. A lease that no rule speaks of ends
        nothing where no rule says what the end of a session means."""
        session, said = self.sessions.get(candidate.session), settled.values
        rule = settled.rules.get(Key.LEASE.value)
        action = said.on_session_end or (None if rule is None else OnEnd.REQUEST_CANCEL)
        if session is None or session.last_beat_at is None or session.ended or action is None:
            return
        length = lease_length(session.lease_s, said)
        if length is None:
            return
        grace = min(length, GRACE) if said.grace is None else said.grace
        patience = (length + grace).total_seconds()
        covered = seen.asked < self.ages.session(candidate.session).beat_since + patience
        if silent >= patience and covered and self._is_no_newcomer(seen, grace):
            yield _orphan(Key.LEASE, rule, action, words.lease_evidence(silent, length, grace))

    def _is_no_newcomer(self, seen: Seen, grace: timedelta | None) -> bool:
        grace_s = (grace or timedelta()).total_seconds()
        return self.ages.now - seen.since >= grace_s and self.ages.process_age >= grace_s

    def _reap(self, candidate: Candidate, finding: _Finding, mode: Mode) -> Reap:
        session = self.sessions.get(candidate.session)
        return Reap(
            task_id=candidate.task_id,
            upstream=candidate.upstream,
            agent_name=candidate.agent_name,
            supervisor=candidate.supervisor,
            session_id=candidate.session_id,
            status=candidate.status,
            created_at=candidate.created_at,
            run_id=candidate.run_id,
            run_status=candidate.run_status,
            beats=0 if session is None else session.beats,
            depth=candidate.depth,
            parent_task_id=candidate.parent_task_id,
            rule=finding.rule,
            policy=finding.policy,
            mode=mode,
            key=finding.key,
            action=finding.action,
            evidence=finding.evidence,
            reason=finding.reason,
        )


def _came_before(seen: Seen, end: int, candidate: Candidate, ended_at: Timestamp) -> bool:
    """Whether a task's newest run was asked for before something else's end, which was first seen
    in the sweep `end`. What came later is not meant by it."""
    if seen.run_first != end:
        return seen.run_first < end
    return candidate.run_created_at <= ended_at


def _terms(policy: Policy, candidate: Candidate) -> _Terms:
    call = candidate.call
    held = policy.lifecycle_for(call)
    observed = policy.lifecycle_for(call, observed=True)
    watching = any(rule.mode is Mode.OBSERVE for rule in observed.rules.values())
    return _Terms(held, observed if watching and _REAPING & observed.rules.keys() else None)


def _shortest(limits: Iterable[timedelta | None]) -> float:
    return min((limit.total_seconds() for limit in limits if limit), default=inf)


def _clock(key: Key, age_s: float, limit: timedelta, settled: Settled) -> Iterator[_Finding]:
    if age_s >= limit.total_seconds():
        rule = settled.rules[key.value]
        yield _Finding(
            key=key,
            rule=rule.name,
            policy=rule.policy,
            action=OnEnd.REQUEST_CANCEL,
            evidence=words.clock_evidence(key, age_s, limit, rule.name),
            reason=words.clock_reason(key, age_s, limit, rule.name, rule.policy),
        )


def _orphan(key: Key, rule: LifecycleRule | None, action: OnEnd, evidence: str) -> _Finding:
    name, policy = (OWN_LEASE, "") if rule is None else (rule.name, rule.policy)
    reason = words.orphan_reason(evidence, name, policy)
    return _Finding(key, name, policy, action, evidence, reason)
