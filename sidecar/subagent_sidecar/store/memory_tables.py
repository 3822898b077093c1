"""The rows of the store in memory, and the Ledger over them."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..core.candidates import ReapClaim
from ..core.changes import BudgetRaised
from ..core.decisions import Decision
from ..core.facts import Fact, Unit
from ..core.matching import Call, Scope
from ..core.metrics.record import Used
from ..core.model import Event, Intent, Run, Task, Thread, Timestamp, UsageEntry, in_order
from ..core.moves import first_moves, intent_moves, run_moves, task_moves
from ..core.policy import NOTHING, Amounts
from ..core.sessions import Session, SessionKey
from ..core.sums import Key, Sum
from ..core.tallies import Place, Tallies
from ..core.verdict import Freeze
from . import memory_counting


@dataclass
class Tables:
    """The rows, and the Ledger over them."""

    threads: dict[str, Thread] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    all_runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    all_usage: dict[tuple[str, str], UsageEntry] = field(default_factory=dict)
    used: dict[tuple[str, str, str], Used] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    sums: dict[Key, Sum] = field(default_factory=dict)
    pruned: int = 0
    """The number of the newest event that was pruned."""
    decisions: list[Decision] = field(default_factory=list)
    decided_before: Timestamp | None = None
    """When the newest decision that was pruned was made."""
    all_freezes: dict[Place, Freeze] = field(default_factory=dict)
    all_raises: dict[str, BudgetRaised] = field(default_factory=dict)
    sessions: dict[SessionKey, Session] = field(default_factory=dict)
    all_reaps: dict[tuple[str, str, str], ReapClaim] = field(default_factory=dict)
    closed_reaps: frozenset[tuple[str, str]] = frozenset()
    span_places: dict[str, int] = field(default_factory=dict)
    tallies: Tallies = field(default_factory=Tallies)

    def copied(self) -> "Tables":
        """As they are now, to go back to. The tallies are shared."""
        as_it_is = copy.copy(self)
        for name, rows in vars(self).items():
            if isinstance(rows, dict | list):
                setattr(as_it_is, name, copy.copy(rows))
        return as_it_is

    def thread(self, thread_id: str) -> Thread | None:
        return self.threads.get(thread_id)

    def put_thread(self, thread: Thread) -> None:
        self.threads[thread.thread_id] = thread

    def task(self, task_id: str) -> Task | None:
        return self.tasks.get(task_id)

    def put_task(self, task: Task) -> None:
        task_moves(self.tallies, self.tasks.get(task.task_id), task)
        self.tasks[task.task_id] = task

    def put_first(self, task: Task, run: Run) -> None:
        first_moves(self.tallies, task, run)
        self.tasks[task.task_id] = task
        self.all_runs[run.task_id, run.run_id] = run

    def run(self, task_id: str, run_id: str) -> Run | None:
        return self.all_runs.get((task_id, run_id))

    def put_run(self, run: Run) -> None:
        task = self.tasks.get(run.task_id)
        if task is not None:
            run_moves(self.tallies, self.run(run.task_id, run.run_id), run, task)
        self.all_runs[run.task_id, run.run_id] = run

    def runs(self, task_id: str) -> Sequence[Run]:
        return in_order(run for run in self.all_runs.values() if run.task_id == task_id)

    def intent(self, intent_id: str) -> Intent | None:
        return self.intents.get(intent_id)

    def intents_on(self, thread_id: str) -> Sequence[Intent]:
        mine = [intent for intent in self.intents.values() if intent.thread_id == thread_id]
        return sorted(mine, key=lambda intent: (intent.created_at, intent.intent_id))

    def put_intent(self, intent: Intent) -> None:
        intent_moves(self.tallies, intent.intent_id, intent)
        self.intents[intent.intent_id] = intent

    def drop_intent(self, intent_id: str) -> None:
        intent_moves(self.tallies, intent_id, None)
        self.intents.pop(intent_id, None)

    def usage(self, task_id: str, message_id: str) -> UsageEntry | None:
        return self.all_usage.get((task_id, message_id))

    def unpriced(self) -> Sequence[UsageEntry]:
        """Messages of models that had no price."""
        found = self.all_usage.values()
        return [e for e in found if e.cost_micro_usd is None and e.model is not None]

    def put_usage(self, entry: UsageEntry) -> None:
        self.all_usage[entry.task_id, entry.message_id] = entry

    def add_used(self, more: Used) -> None:
        known = self.used.get(more.key)
        self.used[more.key] = more if known is None else known.plus(more)

    def add_event(self, event: Event) -> None:
        last = self.events[-1].seq if self.events else 0
        self.events.append(replace(event, seq=last + 1))

    def add_decision(self, decision: Decision) -> None:
        last = self.decisions[-1].seq if self.decisions else 0
        self.decisions.append(replace(decision, seq=last + 1))

    def freezes(self) -> Sequence[Freeze]:
        return sorted(self.all_freezes.values(), key=lambda freeze: freeze.at)

    def put_freeze(self, freeze: Freeze) -> None:
        self.tallies.freezes = None
        self.all_freezes[freeze.scope, freeze.scope_id] = freeze

    def drop_freeze(self, scope: Scope, scope_id: str) -> None:
        self.tallies.freezes = None
        self.all_freezes.pop((scope, scope_id), None)

    def raised(self, raise_id: str) -> bool:
        return raise_id in self.all_raises

    def put_raise(self, change: BudgetRaised) -> None:
        self.tallies.raises = None
        self.all_raises[change.raise_id] = change

    def session(self, supervisor: str, session_id: str) -> Session | None:
        return self.sessions.get((supervisor, session_id))

    def put_session(self, session: Session) -> None:
        self.sessions[session.key] = session

    def has_reap(self, task_id: str, run_id: str, what: str) -> bool:
        return (task_id, run_id, what) in self.all_reaps

    def put_reap(self, claim: ReapClaim) -> None:
        self.all_reaps[claim.reap.task_id, claim.reap.run_id, claim.reap.what] = claim

    def close_reap(self, task_id: str, run_id: str, at: Timestamp) -> None:
        self.closed_reaps = self.closed_reaps | {(task_id, run_id)}

    # tally.Source

    def facts(self, place: Place, *, since: Timestamp | None = None) -> Iterable[Fact]:
        return memory_counting.facts(self, place, since)

    def held(self, place: Place) -> Iterable[Fact]:
        return memory_counting.held(self, place)

    def on_their_way(self) -> dict[str, Sequence[Fact]]:
        return memory_counting.on_their_way(self)

    def live_tasks(self, place: Place) -> Iterable[Call]:
        return memory_counting.live_tasks(self, place)

    def last_told(self) -> Timestamp | None:
        return memory_counting.last_told(self)

    def counted_after(self, moment: Timestamp) -> Mapping[Unit, Timestamp]:
        return memory_counting.counted_after(self, moment)

    def count_as_of(self, moments: Mapping[Unit, Timestamp]) -> None:
        memory_counting.count_as_of(self, moments)

    def raises(self) -> Mapping[tuple[str, str], Amounts]:
        found: dict[tuple[str, str], Amounts] = {}
        for change in self.all_raises.values():
            key = change.budget, change.scope_id
            found[key] = found.get(key, NOTHING).plus(change.amounts)
        return found

    def drop_events(self, numbers: set[int]) -> None:
        """Remove events, but never the newest: the numbers go on from there."""
        self.events = [event for event in self.events if event.seq not in numbers]
        self.pruned = max(self.pruned, *numbers, 0)
