"""What metrics ask the books: how things stand, what happened since, what was used so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..facts import microseconds
from ..model import Run, RunStatus, Task, TaskStatus, Timestamp, UsageEntry

_MICRO = 1_000_000

PLAIN_KINDS = (
    "started",
    "updated",
    "start_failed",
    "in_doubt",
    "cancel_confirmed",
    "cancel_too_late",
    "cancel_unconfirmed",
)
WORDS: Mapping[str, str] = {
    "ended": "by",
    "cancel_asked": "by",
    "reaped": "key",
    "would_reap": "key",
}
"""Kinds whose events are told apart by one word of their detail, and which."""
RULE_KINDS = ("refused", "would_refuse", "budget_near", "budget_exhausted", "would_cancel")
"""Kinds whose events name a rule."""
FOLDED = "refused"
"""The kind of which one event may stand for several, as many as its detail says in `times`."""
COUNTED_KINDS = (*PLAIN_KINDS, *WORDS, *RULE_KINDS)
RUN_MOVED = "run_status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Live tasks that agree in the first three; `since` is when the one that has been in its
    status for longest came into it."""

    upstream: str
    agent_name: str
    status: TaskStatus
    tasks: int
    since: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """How the books stand at one moment.

    `unconfirmed` are runs that go on although they were cancelled, `under_way` and `in_doubt`
    starts whose outcome is not on record, each by upstream; `freezes` by the kind of their scope.
    """

    live: tuple[Live, ...] = ()
    unconfirmed: Mapping[str, int]
    under_way: Mapping[str, int]
    in_doubt: Mapping[str, int]
    freezes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event of a task: its number, when it was, and what says which trace it is told in (see
    core.trace_ids)."""

    seq: int
    at: Timestamp
    trace_parent: str | None
    root_task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Events that agree in everything metrics tell apart. `upstream` and `agent_name` are None
    where no task is on record; `word` is that of WORDS. `last` is one of them, the newest, where
    they are of a task."""

    kind: str
    times: int
    upstream: str | None = None
    agent_name: str | None = None
    status: str | None = None
    word: str | None = None
    rule: str | None = None
    policy: str | None = None
    last: Sighting | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTime:
    """How long a run waited, or how long it was at work, in seconds; one of both. `seen` is the
    event that told."""

    upstream: str
    agent_name: str
    queued_s: float | None = None
    ran_s: float | None = None
    seen: Sighting | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the record of events, added up. `upto` is the number of the last event that is in
    it, `last` that of the newest there was."""

    upto: int
    last: int
    happened: tuple[Happened, ...] = ()
    times: tuple[RunTime, ...] = ()


def run_time(
    *,
    upstream: str,
    agent_name: str,
    created: Timestamp,
    began: Timestamp | None,
    ended: Timestamp | None,
    status: str,
    at: Timestamp,
    seen: Sighting | None = None,
) -> RunTime | None:
    """What the event says that saw a run come into `status`.

    A run that nobody saw at work, because it had ended when somebody looked, is taken to have
    worked all its life.
    """
    if status == RunStatus.RUNNING:
        if at != began:
            return None
        queued = _seconds(created, at)
        return RunTime(upstream=upstream, agent_name=agent_name, queued_s=queued, seen=seen)
    if began is None or at != ended:
        return None
    ran = _seconds(created if began == ended else began, at)
    return RunTime(upstream=upstream, agent_name=agent_name, ran_s=ran, seen=seen)


def _seconds(begin: Timestamp, end: Timestamp) -> float:
    """Not below 0, wherever somebody has set a clock."""
    return max(microseconds(end) - microseconds(begin), 0) / _MICRO


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What messages of models used that agree in the first three, since the store was made; records
    that were pruned are still in it. See UsageEntry for the fields; `model` is empty where it is
    not known. `cost_micro_usd` is the cost of those that are not `unpriced`."""

    upstream: str
    agent_name: str
    model: str
    messages: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micro_usd: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        return self.upstream, self.agent_name, self.model

    def plus(self, other: "Used", sign: int = 1) -> "Used":
        """This and another's amounts; with `sign` -1 without them."""
        return replace(
            self,
            messages=self.messages + sign * other.messages,
            unpriced=self.unpriced + sign * other.unpriced,
            input_tokens=self.input_tokens + sign * other.input_tokens,
            output_tokens=self.output_tokens + sign * other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + sign * other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + sign * other.cache_write_tokens,
            cost_micro_usd=self.cost_micro_usd + sign * other.cost_micro_usd,
        )


def used(task: Task, run: Run, before: UsageEntry | None, entry: UsageEntry) -> Used:
    """What an entry adds to what was known `before`; all of it goes to the model it names now."""
    nothing = Used(
        upstream=task.upstream,
        agent_name=run.agent_name or task.agent_name,
        model=entry.model or "",
    )
    added = nothing.plus(_of(nothing, entry))
    return added if before is None else added.plus(_of(nothing, before), -1)


def _of(whose: Used, entry: UsageEntry) -> Used:
    return replace(
        whose,
        messages=1,
        unpriced=int(entry.cost_micro_usd is None),
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        cache_read_tokens=entry.cache_read_tokens,
        cache_write_tokens=entry.cache_write_tokens,
        cost_micro_usd=entry.cost_micro_usd or 0,
    )
