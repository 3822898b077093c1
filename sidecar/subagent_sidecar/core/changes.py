"""What can happen to the books, as values. `book.apply` is the only reader.

`upstream` on what was seen says who said so: a server is believed about its own tasks only. None
is believed about any.
"""

from dataclasses import dataclass
from enum import StrEnum

from .acts import AdminActed
from .decisions import Decision
from .matching import Scope
from .model import EndedBy, Intent, Item, RunStatus, Thread, ThreadStatus, Timestamp, UsageEntry
from .policy import Amounts
from .quick import quick
from .verdict import Check, Freeze


@quick
@dataclass(frozen=True, slots=True)
class Start:
    """A start as it stood in the request, before anything was decided.

    `session_id` is what the request itself names (header, parent in the run config), or None;
    the thread's own session and the supervisor's default come after it. `fingerprint` is equal for
    equal instructions. `items` are what a batch holds; without them it is taken for one run.
    `trace_parent` is the trace context it came in, if that is recorded. `agents` are globs of what
    its supervisor's key lets it start; empty: all. `every_task`: its supervisor sees those of all;
    of one that does not, another's task is no parent.
    """

    request_id: str
    intent_id: str
    upstream: str
    supervisor: str
    at: Timestamp
    thread_id: str | None = None
    header_session: str | None = None
    body_session: str | None = None
    agent_name: str | None = None
    assistant_id: str | None = None
    strategy: str | None = None
    purpose: str | None = None
    fingerprint: str | None = None
    items: tuple[Item, ...] = ()
    batch: bool = False
    cron: bool = False
    trace_parent: str | None = None
    agents: tuple[str, ...] = ()
    every_task: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadCreated:
    thread: Thread


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run as the server's answer to a start names it."""

    run_id: str
    thread_id: str
    status: RunStatus = RunStatus.PENDING


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The server took the start: its runs, or the cron it made."""

    intent: Intent
    at: Timestamp
    runs: tuple[NewRun, ...] = ()
    cron_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The start came to nothing: the server said no, or was never reached."""

    intent: Intent
    at: Timestamp
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """The start was sent and its outcome is not known: its place stays taken."""

    intent: Intent
    at: Timestamp
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run that a server tells of, as it is now. `ended_at` counts where it has ended."""

    run_id: str
    status: RunStatus
    created_at: Timestamp
    ended_at: Timestamp | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A task that was started past the sidecar is put on record; `runs` are in order. `cause`
    is why it was not there (ghosts.Cause)."""

    start: Start
    runs: tuple[PastRun, ...]
    at: Timestamp
    cause: str
    thread_status: ThreadStatus | None = None

    @property
    def thread_id(self) -> str:
        return self.start.thread_id or ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """An answer that passed by, or one of our own reads, named this status."""

    thread_id: str
    run_id: str
    status: RunStatus
    at: Timestamp
    created_at: str | None = None
    upstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSeen:
    thread_id: str
    status: ThreadStatus
    at: Timestamp
    upstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """Somebody asked after the task `times` times, last at `at`."""

    task_id: str
    times: int
    at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked:
    """A cancel was accepted by the server (which proves nothing yet). `reason`: what the
    supervisor's model shall be told, for cancels that are not its own."""

    thread_id: str
    run_id: str
    by: EndedBy
    at: Timestamp
    reason: str | None = None
    upstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelUnconfirmed:
    """The server took the cancel and the run goes on all the same, whatever was tried (`tried`):
    it is active still, or it is called interrupted while its thread is at work. `again`: the
    cancel had come true, and its server has forgotten that."""

    thread_id: str
    run_id: str
    at: Timestamp
    tried: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelConfirmed:
    """The run that was to be cancelled is over, and its thread is not at work for it any more.
    `lost`: its server has neither, so that nobody will ever see more of it."""

    thread_id: str
    run_id: str
    at: Timestamp
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCancelled:
    """A task that waits for a human is not to go on. It has no active run, so no server is asked:
    as deepagents itself does it, this is between us and the record."""

    thread_id: str
    by: EndedBy
    at: Timestamp
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSeen:
    """Tokens read from a thread's messages while `run_id` was its current run. Entries that are
    on record stay with the run they were first seen in. `settled` are runs that had ended before
    the messages were read: what they used is known now."""

    thread_id: str
    run_id: str
    entries: tuple[UsageEntry, ...]
    settled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePriced:
    """What messages cost that had no price when they were read: each entry as it was found on
    record, with its cost. One that is another by now, or has a cost, stays as it is."""

    entries: tuple[UsageEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGone:
    """The server does not have the run any more (deleted, or rolled back)."""

    thread_id: str
    run_id: str
    by: EndedBy
    at: Timestamp
    reason: str
    upstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadGone:
    """The server does not have the thread any more."""

    thread_id: str
    by: EndedBy
    at: Timestamp
    reason: str
    upstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """An operator pulls the kill switch. One that is pulled already stays as it is, but for a new
    reason."""

    freeze: Freeze
    at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfrozen:
    scope: Scope
    scope_id: str
    at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRaised:
    """An operator adds to what a budget allows within one scope. `raise_id` makes it happen once,
    however often it is entered."""

    raise_id: str
    budget: str
    scope: Scope
    scope_id: str
    amounts: Amounts
    at: Timestamp


class Told(StrEnum):
    """What is told of a budget. WOULD_CANCEL: it is exhausted, and would end tasks for that if its
    rule were enforced."""

    NEAR = "near"
    EXHAUSTED = "exhausted"
    WOULD_CANCEL = "would_cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetTold:
    """An amount of a budget is past a threshold. `tasks` are those that it ends, or would end."""

    told: Told
    check: Check
    at: Timestamp
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBeat:
    """A session renewed its lease `times` times, last at `at`, and asked for one of `lease_s`
    seconds (None: as the policy has it). `reopen`: it is open, whatever ended it before."""

    supervisor: str
    session_id: str
    at: Timestamp
    times: int = 1
    lease_s: int | None = None
    reopen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """A session is over. `tasks` are those of its live ones that no end before was about."""

    supervisor: str
    session_id: str
    by: EndedBy
    at: Timestamp
    reason: str | None = None
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """Nothing is left on its server of a task that was to be terminated, which is over."""

    task_id: str
    run_id: str
    at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRefused:
    """The policy let a start not be, or several that are alike. `check` is what they are told,
    `trace_parent` the trace context of all of them."""

    decision: Decision
    check: Check
    code: str
    trace_parent: str | None = None


Change = (
    ThreadCreated
    | Accepted
    | Adopted
    | Released
    | Doubted
    | RunSeen
    | ThreadSeen
    | Polled
    | CancelAsked
    | CancelUnconfirmed
    | CancelConfirmed
    | WaitingCancelled
    | UsageSeen
    | UsagePriced
    | RunGone
    | ThreadGone
    | Frozen
    | Unfrozen
    | BudgetRaised
    | BudgetTold
    | SessionBeat
    | SessionEnded
    | Terminated
    | StartRefused
    | AdminActed
)
