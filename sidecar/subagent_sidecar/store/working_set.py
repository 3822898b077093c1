"""core.ledger.Ledger over one transaction of many: read in bulk, decide in memory, write in bulk.

Every statement costs a hand-over of the interpreter between the writer's thread and the event
loop's, which is dearer than the statement. So the rows a group of jobs will ask for are read
before the first of them runs, and what they change is written after the last, a few statements
for the whole group. What was not foreseen is read one by one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from sqlite_utils import Database

from ..core.candidates import ReapClaim
from ..core.changes import (
    BudgetRaised,
)
from ..core.decisions import Decision
from ..core.facts import Fact, Unit
from ..core.matching import Call, Scope
from ..core.metrics.record import Used
from ..core.model import Event, Intent, Run, Task, Thread, Timestamp, UsageEntry, in_order
from ..core.moves import first_moves, intent_moves, run_moves, task_moves
from ..core.policy import Amounts, Policy
from ..core.sessions import Session, SessionKey
from ..core.tallies import Place
from ..core.tally import Tally
from ..core.verdict import Freeze
from . import counting, figures, pruning, reaping, span_places
from .decision_rows import DECISIONS_INSERT, decision_values
from .kept import Kept
from .replies import ReplyRows
from .row_set import RowSet, parts
from .rows import EVENTS_INSERT, INTENTS, RUNS, SESSIONS, TASKS, THREADS, USAGE, event_values
from .table import Row
from .tails import Execute, enter_tails
from .touches import Touches

T = TypeVar("T")

_RUNS_OF_TASK = RUNS.select("WHERE task_id = ?")
_FREEZE = "INSERT OR REPLACE INTO freezes (scope, scope_id, reason, at) VALUES (?, ?, ?, ?)"
_UNFREEZE = "DELETE FROM freezes WHERE scope = ? AND scope_id = ?"
_RAISED = "SELECT 1 FROM raises WHERE raise_id = ?"
_RAISE = "INSERT INTO raises VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INTENTS_ON_THREAD = INTENTS.select("WHERE thread_id = ?")


class WorkingSet:
    """The Ledger of one open transaction; `flush` before the commit."""

    def __init__(self, db: Database, touches: Touches, kept: Kept) -> None:
        self._tallies = kept.tallies
        self._absent = kept.absent
        cursor = db.conn.cursor()
        self._execute = cursor.execute
        self._threads = RowSet(THREADS, cursor)
        self._tasks = RowSet(TASKS, cursor)
        self._runs = RowSet(RUNS, cursor)
        self._intents = RowSet(INTENTS, cursor)
        self._usage = RowSet(USAGE, cursor)
        self._sessions = RowSet(SESSIONS, cursor)
        self._used: dict[tuple[str, str, str], Used] = {}
        self._events: list[Event] = []
        self._decisions: list[Decision] = []
        # Called with every start, some several times: methods of dicts and lists have no frames.
        self.thread: Callable[[str], Thread | None] = self._threads.__getitem__
        self.task: Callable[[str], Task | None] = self._tasks.__getitem__
        self.intent: Callable[[str], Intent | None] = self._intents.__getitem__
        self.add_event: Callable[[Event], None] = self._events.append
        self.add_decision: Callable[[Decision], None] = self._decisions.append
        self._load(touches)

    def _load(self, touches: Touches) -> None:
        self._threads.load(touches.threads)
        tasks = self._tasks
        tasks.update(dict.fromkeys(touches.tasks & self._absent))
        tasks.load(touches.tasks)
        self._absent.update([key for key in touches.tasks if tasks[key] is None])
        # No task, no runs.
        self._runs.update(dict.fromkeys([key for key in touches.runs if tasks[key[0]] is None]))
        self._runs.load(touches.runs)
        self._intents.update(dict.fromkeys(touches.new_intents))
        self._usage.load(touches.usage)
        if touches.sessions:
            self._sessions.load(touches.sessions)

    def put_thread(self, thread: Thread) -> None:
        self._threads.put(thread)

    def put_task(self, task: Task) -> None:
        if self._tallies.gauges:
            task_moves(self._tallies, self._tasks[task.task_id], task)
        self._tasks.put(task)

    def put_first(self, task: Task, run: Run) -> None:
        if self._tallies.gauges:
            first_moves(self._tallies, task, run)
        self._tasks.put(task)
        self._runs.put(run)

    def run(self, task_id: str, run_id: str) -> Run | None:
        return self._runs[task_id, run_id]

    def put_run(self, run: Run) -> None:
        if self._tallies.gauges and (task := self._tasks[run.task_id]) is not None:
            run_moves(self._tallies, self._runs[run.task_id, run.run_id], run, task)
        self._runs.put(run)

    def runs(self, task_id: str) -> Sequence[Run]:
        for row in self._execute(_RUNS_OF_TASK, (task_id,)).fetchall():
            self._runs.keep(row)
        return in_order(run for run in self._runs.present() if run.task_id == task_id)

    def intents_on(self, thread_id: str) -> Sequence[Intent]:
        for row in self._execute(_INTENTS_ON_THREAD, (thread_id,)).fetchall():
            self._intents.keep(row)
        mine = [intent for intent in self._intents.present() if intent.thread_id == thread_id]
        return sorted(mine, key=lambda intent: (intent.created_at, intent.intent_id))

    def put_intent(self, intent: Intent) -> None:
        intent_moves(self._tallies, intent.intent_id, intent)
        self._intents.put(intent)

    def drop_intent(self, intent_id: str) -> None:
        intent_moves(self._tallies, intent_id, None)
        self._intents.drop(intent_id)

    def usage(self, task_id: str, message_id: str) -> UsageEntry | None:
        return self._usage[task_id, message_id]

    def put_usage(self, entry: UsageEntry) -> None:
        self._usage.put(entry)

    def add_used(self, more: Used) -> None:
        known = self._used.get(more.key)
        self._used[more.key] = more if known is None else known.plus(more)

    def freezes(self) -> Sequence[Freeze]:
        return counting.freezes(self._execute)

    def put_freeze(self, freeze: Freeze) -> None:
        self._tallies.freezes = None
        self._execute(_FREEZE, (freeze.scope.value, freeze.scope_id, freeze.reason, freeze.at))

    def drop_freeze(self, scope: Scope, scope_id: str) -> None:
        self._tallies.freezes = None
        self._execute(_UNFREEZE, (scope.value, scope_id))

    def raised(self, raise_id: str) -> bool:
        return self._execute(_RAISED, (raise_id,)).fetchone() is not None

    def put_raise(self, change: BudgetRaised) -> None:
        self._tallies.raises = None
        said = dict(change.amounts.said)
        amounts = (said.get(name, 0) for name in ("micro_usd", "tokens", "run_time", "runs"))
        scope = change.scope.value
        values = (change.raise_id, change.budget, scope, change.scope_id, *amounts, change.at)
        self._execute(_RAISE, values)

    def session(self, supervisor: str, session_id: str) -> Session | None:
        return self._sessions[supervisor, session_id]

    def put_session(self, session: Session) -> None:
        self._sessions.put(session)

    def has_reap(self, task_id: str, run_id: str, what: str) -> bool:
        return reaping.has_reap(self._execute, task_id, run_id, what)

    def put_reap(self, claim: ReapClaim) -> None:
        reaping.put_reap(self._execute, claim)

    def close_reap(self, task_id: str, run_id: str, at: Timestamp) -> None:
        reaping.close_reap(self._execute, task_id, run_id, at)

    # tally.Source, for what is not counted yet

    def facts(self, place: Place, *, since: Timestamp | None = None) -> Iterable[Fact]:
        self.flush()
        return counting.facts(self._execute, place, since)

    def held(self, place: Place) -> Iterable[Fact]:
        self.flush()
        return counting.held(self._execute, place)

    def on_their_way(self) -> dict[str, Sequence[Fact]]:
        self.flush()
        return counting.on_their_way(self._execute)

    def live_tasks(self, place: Place) -> Iterable[Call]:
        self.flush()
        return counting.live_tasks(self._execute, place)

    def last_told(self) -> Timestamp | None:
        self.flush()
        return counting.last_told(self._execute)

    def counted_after(self, moment: Timestamp) -> Mapping[Unit, Timestamp]:
        self.flush()
        return counting.counted_after(self._execute, moment)

    def count_as_of(self, moments: Mapping[Unit, Timestamp]) -> None:
        counting.count_as_of(self._execute, moments)
        self._runs.clear()  # to be read anew: everything in it was written before

    def raises(self) -> Mapping[tuple[str, str], Amounts]:
        return counting.raises(self._execute)

    def tally(self, now: Timestamp, policy: Policy | None = None) -> Tally:
        """The numbers as they are now, in the middle of the transaction."""
        return Tally(self._tallies, self, now, policy)

    def begin_spans(self, names: tuple[str, ...]) -> None:
        """See ports.SpanPlaces."""
        span_places.begin(self._execute, names)

    def claim_spans(self, name: str, after: int, upto: int) -> bool:
        """See ports.SpanPlaces."""
        return span_places.claim(self._execute, name, after, upto)

    def work(self, done: Callable[[Execute], T]) -> T:
        """What concerns a table of its own, which nothing here keeps in memory."""
        return done(self._execute)

    def replies(self) -> ReplyRows:
        """What was answered to starts with a key."""
        return ReplyRows(self._execute)

    def enter_tails(self) -> bool:
        """See tails.enter_tails."""
        return enter_tails(self._execute)

    def prune_tasks(self, ids: Sequence[str], before: str) -> int:
        """See pruning.prune_tasks. What this group has looked at is left for another time: it may
        be about to change, and what was read must not go."""
        self._tallies.forget()
        return pruning.prune_tasks(self._execute, self._not_read(ids), before)

    def prune_events(self, numbers: Sequence[int]) -> int:
        """See pruning.prune_events."""
        return pruning.prune_events(self._execute, numbers)

    def prune_threads(self, ids: Sequence[str], before: str) -> int:
        """See pruning.prune_threads; `prune_tasks` for what is left."""
        return pruning.prune_threads(self._execute, self._not_read(ids), before)

    def prune_decisions(self, numbers: Sequence[int]) -> int:
        """See pruning.prune_decisions."""
        return pruning.prune_decisions(self._execute, numbers)

    def prune_sessions(self, keys: Sequence[SessionKey], before: str) -> int:
        """See pruning.prune_sessions; `prune_tasks` for what is left."""
        left = [key for key in keys if key not in self._sessions]
        return pruning.prune_sessions(self._execute, left, before) if left else 0

    def _not_read(self, ids: Sequence[str]) -> list[str]:
        read = self._tasks.keys() | self._threads.keys()
        return [each for each in ids if each not in read]

    def flush(self) -> None:
        """Write what has changed; there may be more to write later."""
        self._absent.difference_update(self._tasks.new)
        for rows in (self._threads, self._tasks, self._runs, self._intents, self._usage):
            rows.flush()
        if self._sessions:
            self._sessions.flush()
        self._append(EVENTS_INSERT, [event_values(event) for event in self._events])
        self._append(DECISIONS_INSERT, [decision_values(one) for one in self._decisions])
        if self._used:
            figures.add_used(self._execute, self._used.values())
            self._used.clear()
        self._events.clear()
        self._decisions.clear()

    def _append(self, inserts: Mapping[int, str], rows: Sequence[Row]) -> None:
        for part in parts(rows):
            self._execute(inserts[len(part)], list(chain.from_iterable(part)))
