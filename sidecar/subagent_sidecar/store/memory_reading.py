"""What is read of the tables in memory: the twin of sqlite_reading.py."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ..core.candidates import Candidate
from ..core.decisions import Decision
from ..core.feed import EventPage, EventQuery, ToldEvent
from ..core.matching import Scope
from ..core.metrics.record import Census, Stretch, Used
from ..core.model import (
    Event,
    Intent,
    LiveChain,
    Run,
    Task,
    TaskPage,
    TaskQuery,
    TaskRecord,
    Thread,
    Timestamp,
    UsageEntry,
)
from ..core.owners import Owner
from ..core.past import DecisionPage, DecisionQuery, StartPage, StartQuery
from ..core.policy import Budget
from ..core.report import Report, ReportQuery
from ..core.sessions import Session, SessionKey, SessionPage, SessionQuery
from ..core.sums import Sum
from ..core.trees import TreePage
from ..core.verdict import Freeze, Spent
from ..errors import StoreUnavailable
from . import (
    memory_chains,
    memory_feed,
    memory_figures,
    memory_listing,
    memory_names,
    memory_owners,
    memory_past,
    memory_reaping,
    memory_reporting,
    memory_sessions,
    memory_spenders,
    memory_trees,
)
from .memory_tables import Tables


class MemoryReading:
    """The part of ports.Store that only reads."""

    def __init__(self, begun: Timestamp | None) -> None:
        self._begun = begun
        self._books = Tables()
        self._closed = False

    @property
    def _tables(self) -> Tables:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return self._books

    async def spenders(
        self, budget: Budget, now: datetime, *, limit: int
    ) -> Sequence[tuple[str, Spent]]:
        return memory_spenders.spenders(self._tables, budget, now, limit)

    async def unpriced_models(self, *, after: str = "", limit: int) -> Sequence[str]:
        models = {entry.model or "" for entry in self._tables.unpriced()}
        return sorted(model for model in models if model > after)[:limit]

    async def unpriced(
        self, model: str, *, after: tuple[str, str] | None = None, limit: int
    ) -> Sequence[UsageEntry]:
        found = [entry for entry in self._tables.unpriced() if entry.model == model]
        found.sort(key=lambda entry: (entry.task_id, entry.message_id))
        later = [e for e in found if after is None or (e.task_id, e.message_id) > after]
        return later[:limit]

    async def freezes(self) -> Sequence[Freeze]:
        return self._tables.freezes()

    async def has(self, scope: Scope, scope_id: str) -> bool:
        return memory_names.has(self._tables, scope, scope_id)

    async def unrecorded(self, upstream: str, thread_ids: Sequence[str]) -> Mapping[str, bool]:
        return memory_names.unrecorded(self._tables, upstream, thread_ids)

    async def begun(self) -> Timestamp | None:
        return self._begun

    async def names(self, scope: Scope, *, among: int) -> Sequence[str]:
        return memory_names.names(self._tables, scope, among)

    async def thread(self, thread_id: str) -> Thread | None:
        return self._tables.thread(thread_id)

    async def task(self, task_id: str) -> TaskRecord | None:
        task = self._tables.task(task_id)
        return memory_listing.record(self._tables, task) if task else None

    async def tasks_with(self, task_ids: Sequence[str]) -> Sequence[TaskRecord]:
        found = (self._tables.task(task_id) for task_id in task_ids)
        shown = [memory_listing.record(self._tables, task) for task in found if task is not None]
        return [replace(record, short_id="") for record in shown]

    async def tasks_named(self, fragment: str, *, limit: int) -> Sequence[str]:
        return memory_listing.tasks_named(self._tables, fragment, limit)

    async def tasks(self, query: TaskQuery) -> TaskPage:
        return memory_listing.list_tasks(self._tables, query)

    async def live_tasks(self, upstream: str, *, limit: int) -> Sequence[Task]:
        return memory_chains.live_tasks(self._tables, upstream, limit)

    async def ends_asked(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        return memory_chains.ends_asked(self._tables, limit)

    async def live_chains(
        self, upstream: str, *, after: tuple[Timestamp, str] | None, limit: int
    ) -> Sequence[LiveChain]:
        return memory_chains.live_chains(self._tables, upstream, after, limit)

    async def loose_ends(self, upstream: str, *, limit: int) -> Sequence[LiveChain]:
        return memory_chains.loose_ends(self._tables, upstream, limit)

    async def events(self, task_id: str, *, limit: int) -> Sequence[Event]:
        mine = [event for event in self._tables.events if event.task_id == task_id]
        return mine[max(len(mine) - limit, 0) :]

    async def open_cancels(self, *, limit: int) -> Sequence[tuple[str, Run]]:
        return memory_chains.open_cancels(self._tables, limit)

    async def events_after(self, query: EventQuery) -> EventPage:
        tables = self._tables
        return memory_feed.events_after(tables.events, tables.tasks, query, tables.pruned)

    async def newest_events(self, query: EventQuery) -> Sequence[ToldEvent]:
        return memory_feed.newest_events(self._tables.events, self._tables.tasks, query)

    async def last_event(self) -> int:
        return self._tables.events[-1].seq if self._tables.events else 0

    async def position_at(self, moment: Timestamp) -> int:
        return memory_feed.position_at(self._tables.events, moment)

    async def decisions(self, query: DecisionQuery) -> DecisionPage:
        return memory_past.decisions(self._tables, query)

    async def starts(self, query: StartQuery) -> StartPage:
        return memory_past.starts(self._tables, query)

    async def session(self, supervisor: str, session_id: str) -> Session | None:
        return self._tables.session(supervisor, session_id)

    async def sessions(self, query: SessionQuery) -> SessionPage:
        return memory_sessions.list_sessions(self._tables, query)

    async def leases(self, *, after: SessionKey | None = None, limit: int) -> Sequence[Session]:
        return memory_sessions.leases(self._tables, after, limit)

    async def candidates(
        self, upstream: str, *, after: tuple[Timestamp, str] | None, limit: int
    ) -> Sequence[Candidate]:
        return memory_reaping.candidates(self._tables, upstream, after, limit)

    async def to_terminate(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        return memory_reaping.to_terminate(self._tables, limit)

    async def sums(self, *, since: str = "") -> Sequence[Sum]:
        return [one for _, one in sorted(self._tables.sums.items()) if one.day >= since]

    async def open_intents(self, *, before: Timestamp) -> Sequence[Intent]:
        old = [i for i in self._tables.intents.values() if i.created_at < before]
        return sorted(old, key=lambda intent: (intent.created_at, intent.intent_id))

    async def census(self) -> Census:
        return memory_figures.census(self._tables)

    async def happened(self, after: int, *, limit: int) -> Stretch:
        return memory_figures.happened(self._tables, after, limit)

    async def used(self) -> Sequence[Used]:
        return [one for _, one in sorted(self._tables.used.items())]

    async def report(self, query: ReportQuery) -> Report:
        return memory_reporting.report(self._tables, query)

    async def spans_claimed(self, name: str) -> int | None:
        return self._tables.span_places.get(name)

    async def tree(
        self, tree_ids: Sequence[str], *, after: tuple[Timestamp, str] | None = None, limit: int
    ) -> TreePage:
        return memory_trees.tree(self._tables, tree_ids, after, limit)

    async def moments(self, task_ids: Sequence[str], *, each: int) -> Sequence[Event]:
        return memory_trees.moments(self._tables, task_ids, each)

    async def refused_in(self, sessions: Sequence[str], *, limit: int) -> Sequence[Decision]:
        return memory_trees.refused_in(self._tables, sessions, limit)

    async def trees_in(self, trace_id: str, *, among: int) -> Sequence[str]:
        return memory_trees.trees_in(self._tables, trace_id, among)

    # ports.Owners

    async def owners(self, thread_ids: Sequence[str]) -> Mapping[str, Owner]:
        return memory_owners.owners(self._tables, thread_ids)

    async def has_run(self, thread_id: str, run_id: str) -> bool:
        return self._tables.run(thread_id, run_id) is not None

    async def owned(self, owner: Owner, *, limit: int) -> Sequence[str]:
        return memory_owners.owned(self._tables, owner, limit)
