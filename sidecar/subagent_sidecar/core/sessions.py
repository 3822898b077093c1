"""What sessions say of themselves: that they are alive, and that they are over.

Most of what is known of a session are its tasks; a start writes nothing about it. A `Session` is
on record only of one that renewed a lease or was ended. Its key is both, supervisor and name: what
one supervisor says of a session holds for its own tasks, whatever others call theirs.

An end is final for what was started before it, and says nothing of what is started afterwards: a
conversation may be taken up again, by another process, under the same name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from .matching import Call
from .model import EndedBy, Timestamp
from .policy import Lifecycle, Mode, OnEnd, Policy
from .quick import quick

SessionKey = tuple[str, str]
"""(supervisor, session id)."""

HEARTBEAT = timedelta(minutes=1)
"""How often a lease is renewed where no rule says so."""

GRACE = timedelta(minutes=5)
"""What an expired lease is given where no rule says so; never more than the lease itself."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that renewed a lease or was ended.

    `first_beat_at` and `last_beat_at` are None of one that never renewed a lease. `lease_s` is what
    its last heartbeat asked for, None where it left that to the policy. `ended_by` is the
    supervisor, an operator or the reaper. `reopened_at`: it was ended, and has been renewing a
    lease again since; `ended_at` still tells which of its tasks the end was about.
    """

    session_id: str
    supervisor: str
    first_beat_at: Timestamp | None = None
    last_beat_at: Timestamp | None = None
    beats: int = 0
    lease_s: int | None = None
    ended_at: Timestamp | None = None
    ended_by: EndedBy | None = None
    reason: str | None = None
    reopened_at: Timestamp | None = None

    @property
    def key(self) -> SessionKey:
        return self.supervisor, self.session_id

    @property
    def ended(self) -> bool:
        return self.ended_at is not None and self.reopened_at is None

    def ended_after(self, started_at: Timestamp) -> bool:
        """Whether its end is also that of a task whose newest run was asked for at `started_at`:
        what was started, or followed up, after the end is not meant by it."""
        return self.ended_at is not None and started_at <= self.ended_at


class LeaseState(StrEnum):
    """NONE: there is no lease, since none was ever renewed or since nobody says how long one is.
    EXPIRED: and its grace goes on; LAPSED: that is over, too."""

    NONE = "none"
    HELD = "held"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """How long a session is believed to be alive: until `expires_at`, and given up at
    `lapses_at`, when its grace is over."""

    length: timedelta
    grace: timedelta
    renewed_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.renewed_at + self.length

    @property
    def lapses_at(self) -> datetime:
        return self.expires_at + self.grace

    def covers(self, started_at: Timestamp) -> bool:
        """Whether its loss says anything of a task whose newest run was asked for at `started_at`.
        What was started when it had lapsed already was started by somebody who does not renew it
        (a conversation taken up again by other means), and is no orphan by it."""
        return datetime.fromisoformat(started_at) < self.lapses_at

    def state(self, now: datetime) -> LeaseState:
        if now < self.expires_at:
            return LeaseState.HELD
        return LeaseState.EXPIRED if now < self.lapses_at else LeaseState.LAPSED


def lease_of(session: Session | None, settings: Lifecycle) -> Lease | None:
    """The lease by the settings that hold for one of its tasks. None: silence proves nothing."""
    if session is None or session.ended or session.last_beat_at is None:
        return None
    length = lease_length(session.lease_s, settings)
    if length is None:
        return None
    grace = min(length, GRACE) if settings.grace is None else settings.grace
    return Lease(
        length=length, grace=grace, renewed_at=datetime.fromisoformat(session.last_beat_at)
    )


def lease_length(asked_s: int | None, settings: Lifecycle) -> timedelta | None:
    """What the session asked for, but not more than the policy gives: a lease there bounds what
    supervisors may ask for, and one of 0 turns leases off. Where the policy says nothing, the
    session's own word holds."""
    asked = None if asked_s is None else timedelta(seconds=asked_s)
    if settings.lease is None or asked is None:
        length = asked if settings.lease is None else settings.lease
    else:
        length = min(asked, settings.lease)
    return length or None


def terms(policy: Policy, supervisor: str, session_id: str) -> Lifecycle:
    """The settings a session should go by, whatever it starts: those that hold for all it does,
    and of those that hold for some agents, servers or depths only the strictest. Only `lease`,
    `heartbeat` and `grace` are set."""
    call = Call(agent="", upstream="", supervisor=supervisor, session=session_id)
    held = [policy.lifecycle_for(call).values]
    for rule in policy.lifecycle:
        match = rule.match
        whoever = replace(match, agent=(), upstream=(), depth=None)
        if rule.mode is Mode.ENFORCE and whoever.fits(call) and not match.fits(call):
            held.append(rule.settings)
    return Lifecycle(
        lease=_shortest(settings.lease for settings in held),
        heartbeat=_shortest(settings.heartbeat for settings in held),
        grace=_shortest(settings.grace for settings in held),
    )


def _shortest(spans: Iterable[timedelta | None]) -> timedelta | None:
    """The shortest that is not off; one that is off where none is not; None where none is said."""
    said = [span for span in spans if span is not None]
    return min(filter(None, said), default=said[0] if said else None)


def heartbeat_every(settings: Lifecycle, length: timedelta | None) -> timedelta:
    """How often to renew a lease of `length`: so that two heartbeats may be lost."""
    usual = settings.heartbeat or HEARTBEAT
    return usual if length is None else min(usual, length / 3)


def on_end(settings: Lifecycle) -> OnEnd:
    """What becomes of a live task when its session is ended."""
    return settings.on_session_end or OnEnd.ABANDON


def lease_state(session: Session | None, settings: Lifecycle, now: datetime) -> LeaseState:
    if session is not None and session.ended:
        return LeaseState.ENDED
    lease = lease_of(session, settings)
    return LeaseState.NONE if lease is None else lease.state(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLine:
    """A session as it is listed: what its tasks tell of it, and `row`, what it said itself.

    `first_at` is when its first task that is still on record was started, or it first renewed its
    lease. `last_sign_at` is its supervisor's last sign of life: a start or a follow-up, a question
    after a task, a heartbeat. `tokens`, `cost_micro_usd` and `unpriced` add up what its runs are
    known to have used. `capped`: it has more tasks than were counted; `tasks` and the sums are of
    the newest. `parent_task_id`: the session is the thread of that task.
    """

    session_id: str
    supervisor: str
    live: int
    tasks: int
    first_at: Timestamp
    last_sign_at: Timestamp
    tokens: int = 0
    cost_micro_usd: int = 0
    unpriced: int = 0
    capped: bool = False
    parent_task_id: str | None = None
    row: Session | None = None

    @property
    def key(self) -> SessionKey:
        return self.supervisor, self.session_id

    @property
    def position(self) -> "SessionPosition":
        return self.live > 0, self.last_sign_at, self.supervisor, self.session_id


SessionPosition = tuple[bool, Timestamp, str, str]
"""Where a session stands in a listing: those with live tasks first, then by the last sign of life,
the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """Which sessions to list. Empty filters match everything.

    `since` leaves out those without a live task that showed no sign of life since, and whose tasks
    had all ended before (None: none are left out). `agent_name` and `upstream` ask for sessions
    with such a task among those that are looked at. `after` is the position of the last one of the
    page before; sessions move while they live, so that pages are true of their own moment only.
    """

    session_id: str | None = None
    supervisor: str | None = None
    agent_name: str | None = None
    upstream: str | None = None
    since: Timestamp | None = None
    after: SessionPosition | None = None
    limit: int = 50

    @property
    def of_some_tasks(self) -> bool:
        """Whether what matches depends on single tasks."""
        return self.agent_name is not None or self.upstream is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """One page of a listing; `next_after` continues it."""

    sessions: tuple[SessionLine, ...]
    next_after: SessionPosition | None
