"""Which rows a job is going to ask for, told before it runs."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..core.acts import AdminActed
from ..core.candidates import ReapClaim
from ..core.changes import (
    Accepted,
    Adopted,
    BudgetRaised,
    BudgetTold,
    Change,
    Doubted,
    Frozen,
    Polled,
    Released,
    SessionBeat,
    SessionEnded,
    Start,
    StartRefused,
    Terminated,
    ThreadCreated,
    Unfrozen,
    UsagePriced,
    UsageSeen,
)


@dataclass(slots=True)
class Touches:
    """The rows a job is going to ask for, as far as can be told before."""

    threads: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    runs: set[tuple[str, str]] = field(default_factory=set)
    usage: set[tuple[str, str]] = field(default_factory=set)
    sessions: set[tuple[str, str]] = field(default_factory=set)
    new_intents: set[str] = field(default_factory=set)
    """Not to be read: their ids were made just now."""

    def start(self, start: Start) -> None:
        """Add what `admission.admit` reads and makes."""
        self.new_intents.add(start.intent_id)
        if start.thread_id is not None:
            self.threads.add(start.thread_id)
            self.tasks.add(start.thread_id)
        if (session := start.header_session or start.body_session) is not None:
            self.tasks.add(session)

    def claims(self, claims: Iterable[ReapClaim]) -> None:
        """Add what `claims.claim_all` reads."""
        for claim in claims:
            reap = claim.reap
            self.tasks.update((reap.task_id, reap.parent_task_id or reap.task_id))
            self.runs.add((reap.task_id, reap.run_id))
            self.sessions.add((reap.supervisor, reap.session_id))

    def changes(self, changes: Iterable[Change]) -> None:
        """Add what `book.apply` reads."""
        for change in changes:
            match change:
                case Accepted():
                    for run in change.runs:
                        self.tasks.add(run.thread_id)
                        self.runs.add((run.thread_id, run.run_id))
                case UsageSeen():
                    self.tasks.add(change.thread_id)
                    self.usage.update((e.task_id, e.message_id) for e in change.entries)
                    self.runs.update((change.thread_id, e.run_id) for e in change.entries)
                case UsagePriced():
                    self.tasks.update(e.task_id for e in change.entries)
                    self.usage.update((e.task_id, e.message_id) for e in change.entries)
                    self.runs.update((e.task_id, e.run_id) for e in change.entries)
                case Adopted():
                    self.start(change.start)
                    self.runs.update((change.thread_id, run.run_id) for run in change.runs)
                case Polled():
                    self.tasks.add(change.task_id)
                case ThreadCreated():
                    self.threads.add(change.thread.thread_id)
                case SessionBeat() | SessionEnded():
                    self.sessions.add((change.supervisor, change.session_id))
                case (
                    Frozen()
                    | Unfrozen()
                    | BudgetRaised()
                    | BudgetTold()
                    | Terminated()
                    | StartRefused()
                    | AdminActed()
                ):
                    pass
                case Released() | Doubted():
                    if change.intent.thread_id is not None:
                        self.tasks.add(change.intent.thread_id)
                case _:
                    self.tasks.add(change.thread_id)
                    if (run_id := getattr(change, "run_id", None)) is not None:
                        self.runs.add((change.thread_id, run_id))
