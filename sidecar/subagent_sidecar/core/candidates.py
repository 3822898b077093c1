"""Live tasks as the reaper sees them, and what it may come to about one of them."""

from dataclasses import dataclass
from enum import StrEnum

from .cancel import TaskEnd
from .lifecycle import has_ended
from .matching import Call
from .model import RunStatus, TaskStatus, Timestamp
from .policy import Mode, OnEnd
from .quick import quick
from .sessions import SessionKey


class Key(StrEnum):
    """What a task is ended for: the setting of a lifecycle rule that says so."""

    QUEUE = "queue"
    RUN = "run"
    TOTAL = "total"
    STALL = "stall"
    WAITING = "waiting"
    ON_PARENT_CLOSE = "on_parent_close"
    ON_SESSION_END = "on_session_end"
    LEASE = "lease"
    IDLE = "idle"


CLOCKS = frozenset({Key.QUEUE, Key.RUN, Key.TOTAL, Key.STALL, Key.WAITING})
SILENCE = frozenset({Key.LEASE, Key.IDLE})
"""What ends a task because its session is not heard of."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A live task with its current run, which it has: what is in doubt is for the reconciler.

    `parent_end` is how its parent task ended, None while that is live, where there is none on
    record, and as long as the parent may still be found waiting for a human. `claimed`: its end is
    under way, by whichever process. `polls` count who asked after it.
    """

    task_id: str
    upstream: str
    agent_name: str
    supervisor: str
    session_id: str
    status: TaskStatus
    created_at: Timestamp
    run_id: str
    run_status: RunStatus
    run_created_at: Timestamp
    run_started_at: Timestamp | None = None
    run_ended_at: Timestamp | None = None
    depth: int = 0
    tree_id: str | None = None
    parent_task_id: str | None = None
    parent_end: TaskStatus | None = None
    parent_ended_at: Timestamp | None = None
    polls: int = 0
    claimed: bool = False

    @property
    def session(self) -> SessionKey:
        return self.supervisor, self.session_id

    @property
    def call(self) -> Call:
        """The task as rules see it."""
        return Call(
            agent=self.agent_name,
            upstream=self.upstream,
            supervisor=self.supervisor,
            session=self.session_id,
            depth=self.depth,
            task_id=self.task_id,
            tree_id=self.tree_id or self.task_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reap:
    """One task, and what a rule says is to be done about it; or would be, if it were enforced.

    `evidence` is for people, `reason` for the supervisor's model. `run_id`, the statuses and the
    session's `beats` are what it was judged on: where they hold no more, nothing is done.
    """

    task_id: str
    upstream: str
    agent_name: str
    supervisor: str
    session_id: str
    status: TaskStatus
    created_at: Timestamp
    run_id: str
    run_status: RunStatus
    beats: int
    depth: int
    parent_task_id: str | None
    rule: str
    policy: str
    mode: Mode
    key: Key
    action: OnEnd
    evidence: str
    reason: str

    @property
    def ends(self) -> bool:
        """Whether the task is to end for it."""
        return self.mode is Mode.ENFORCE and self.action is not OnEnd.ABANDON

    @property
    def what(self) -> str:
        """What can happen once to a run of a task: its end; and to be told of each rule that would
        not have it, or leaves it alone."""
        if self.ends:
            return end_of(self.status, self.run_status)
        word = "would" if self.mode is Mode.OBSERVE else "abandoned"
        return f"{word} {self.key} {self.rule}"


@dataclass(frozen=True, slots=True)
class Planned:
    """A reap, and why it cannot be done now, if so."""

    reap: Reap
    held: str | None = None


@dataclass(frozen=True, slots=True)
class Reaped:
    """What became of a reap: `end` is None where nothing was ended, for `why` if that needs one."""

    reap: Reap
    why: str | None
    end: TaskEnd | None


END = "end"


def end_of(status: TaskStatus, run: RunStatus) -> str:
    """The end of a task's run. A task whose run is over may still wait, or be at work on something
    else: to end that is another thing."""
    return f"{END} {status}" if has_ended(run) else END


@dataclass(frozen=True, slots=True)
class ReapClaim:
    """A reap that somebody is about to carry out, if nobody else has."""

    reap: Reap
    at: Timestamp
