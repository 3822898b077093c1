"""Starts and decisions as the record still has them: what is asked for, and pages of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush, merge
from typing import Any, TypeVar

from .decisions import Decision, Verdict
from .matching import Call
from .model import Timestamp, timestamp
from .quick import changed, quick

P = TypeVar("P", "PastStart", Decision)
Position = tuple[Timestamp, str, str]
"""When the task was made, its id, and the run's: the order in which starts are read."""

_ASTRAY = timedelta(minutes=1)
"""Decisions are read in the order of their numbers; by so much their times may be out of order,
where several processes write to the same books, or equal refusals were counted first."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PastStart:
    """A run on record, as far as a policy could have had a say in it.

    `call` is as a task's on record (core.facts.task_call). `request_id` is None for a run that was
    started past the sidecar. `left_at` is when its task was finished with it: later than its end
    where the task then waited for a human, None where it still holds its task.
    """

    call: Call
    run_id: str
    at: Timestamp
    task_at: Timestamp
    """When its task was made."""
    request_id: str | None = None
    parent_task_id: str | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    left_at: Timestamp | None = None
    at_large: bool = False
    tokens: int = 0
    cost_micro_usd: int = 0
    unpriced: int = 0
    settled: bool = False

    @property
    def task_id(self) -> str:
        return self.call.task_id or ""

    @property
    def position(self) -> Position:
        return self.task_at, self.task_id, self.run_id

    @property
    def asked(self) -> Call:
        """The start as the rules saw it: a new task has no id yet, and no tree of its own."""
        call = self.call
        if call.update:
            return call
        root = call.tree_id == call.task_id
        return changed(call, task_id=None, tree_id=None if root else call.tree_id)


def left_at(
    *, ended_at: Timestamp | None, newest: bool, task_ended_at: Timestamp | None
) -> Timestamp | None:
    """When a task was finished with a run. Its newest one holds it to the end of the task: that is
    how a task that waits for a human is unfinished."""
    if ended_at is None or not newest:
        return ended_at
    return None if task_ended_at is None else max(ended_at, task_ended_at)


Past = PastStart | Decision
"""A start as the record has it: let in, or refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartQuery:
    """Runs by `position`. `since` leaves out those of tasks that had ended before."""

    since: Timestamp | None = None
    after: Position | None = None
    limit: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPage:
    """`next_after` continues it. `whole_from`: retention has removed nothing of what was started
    or refused then or later; None: nothing at all."""

    starts: tuple[PastStart, ...]
    next_after: Position | None
    whole_from: Timestamp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionQuery:
    """Which decisions to read, newest first. Empty filters match everything. `after` is the number
    of the last one of the page before."""

    thread_id: str | None = None
    session: str | None = None
    agent: str | None = None
    verdict: Verdict | None = None
    since: Timestamp | None = None
    oldest_first: bool = False
    after: int | None = None
    limit: int = 50

    def fits(self, decision: Decision) -> bool:
        """Whether the filters match it, wherever it stands."""
        return (
            self.thread_id in (None, decision.thread_id)
            and self.session in (None, decision.call.session)
            and self.agent in (None, decision.call.agent)
            and self.verdict in (None, decision.verdict)
            and (self.since is None or decision.at >= self.since)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """A page may hold fewer than there are, even none: it is the last one where `next_after` is
    None."""

    decisions: tuple[Decision, ...]
    next_after: int | None


def in_order_of_time(starts: Iterable[PastStart], decisions: Iterable[Decision]) -> Iterator[Past]:
    """Both together, by time and then by id. `starts` come by their position, and `decisions` by
    their number: only so many are held back as may come later and be earlier."""
    let_in: Iterator[Past] = _sorted(starts, lambda start: start.task_at)
    refused = _sorted(decisions, lambda decision: surely_before(decision.at))
    return merge(let_in, refused, key=moment)


def moment(one: Past) -> tuple[str, ...]:
    """Where it stands in time; runs of one batch stand together."""
    if isinstance(one, Decision):
        return one.at, one.intent_id, ""
    return one.at, one.request_id or "", one.task_id, one.run_id


def _sorted(items: Iterable[P], floor: Callable[[P], Timestamp]) -> Iterator[P]:
    """By moment. Nothing that comes after an item is earlier than its `floor`."""
    held: list[tuple[tuple[str, ...], int, Any]] = []
    for number, item in enumerate(items):
        reached = floor(item)
        while held and held[0][0][0] < reached:
            yield heappop(held)[2]
        heappush(held, (moment(item), number, item))
    while held:
        yield heappop(held)[2]


def surely_before(at: Timestamp) -> Timestamp:
    """Decisions of this moment or earlier have lower numbers than one made `at`."""
    asked = datetime.fromisoformat(at)
    first = datetime.min.replace(tzinfo=asked.tzinfo)  # who asks since the year 1 asks for all
    return timestamp(asked - _ASTRAY if asked - first > _ASTRAY else first)
