"""A store in memory: the twin that tests run on, and `--store memory:` for a first look."""

import asyncio
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from ..core import book
from ..core.admission import NO_RULES, admit_by
from ..core.at_large import apart
from ..core.budgets import BudgetIn, spent
from ..core.candidates import Candidate, ReapClaim
from ..core.changes import Change, Start
from ..core.claims import claim_all
from ..core.decide import decide
from ..core.decisions import Decision
from ..core.feed import EventPage, EventQuery, ToldEvent
from ..core.idempotency import Claim, Earlier, Taken, admit_once, forget, settle
from ..core.matching import Call, Scope
from ..core.metrics.meters import StoreMeter
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
    timestamp,
)
from ..core.past import DecisionPage, DecisionQuery, StartPage, StartQuery
from ..core.policy import Budget, Policy
from ..core.refusal import Refused
from ..core.report import Report, ReportQuery
from ..core.sessions import Session, SessionKey, SessionPage, SessionQuery
from ..core.sums import Sum
from ..core.tally import Tally
from ..core.trees import TreePage
from ..core.verdict import Allow, Deny, Freeze, Spent
from ..errors import StoreUnavailable
from . import (
    memory_chains,
    memory_feed,
    memory_figures,
    memory_listing,
    memory_names,
    memory_past,
    memory_pruning,
    memory_reaping,
    memory_reporting,
    memory_sessions,
    memory_spenders,
    memory_trees,
)
from .memory_replies import MemoryReplies
from .memory_tables import Tables

T = TypeVar("T")


class MemoryStore:
    """ports.Store without a disk; nothing survives the process."""

    def __init__(self, *, begun: Timestamp | None = None) -> None:
        self._begun = begun
        self.meter = StoreMeter()
        self._books = Tables()
        self._replies = MemoryReplies()
        self._closed = False

    @property
    def _tables(self) -> Tables:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return self._books

    def admit(self, start: Start, policy: Policy = NO_RULES) -> Future[Intent]:
        def work(tables: Tables) -> Intent | Refused:
            return admit_by(policy, tables, Tally(tables.tallies, tables, start.at, policy), start)

        return self._decided(work)

    def explain(self, call: Call, policy: Policy, now: datetime) -> Future[Allow | Deny]:
        def work(tables: Tables) -> Allow | Deny:
            tally = Tally(tables.tallies, tables, timestamp(now), policy)
            verdict = decide(policy, tally, call, now)
            return apart(tables, verdict) if isinstance(verdict, Deny) else verdict

        return self._transaction(work)

    def spent(
        self, asked: Sequence[BudgetIn], now: datetime, *, apart: bool = False
    ) -> Future[Sequence[Spent]]:
        def work(tables: Tables) -> Sequence[Spent]:
            return spent(Tally(tables.tallies, tables, timestamp(now)), asked, now, apart=apart)

        return self._transaction(work)

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

    def apply(self, changes: Sequence[Change]) -> Future[None]:
        def work(tables: Tables) -> None:
            for change in changes:
                book.apply(tables, change)

        return self._transaction(work)

    def _transaction(self, work: Callable[[Tables], T]) -> Future[T]:
        before = self._tables.copied()
        done: Future[T] = asyncio.get_running_loop().create_future()
        try:
            done.set_result(work(self._books))
        except BaseException:
            self._books = before
            before.tallies.forget()
            raise
        return done

    def _decided(self, work: Callable[[Tables], T | Refused]) -> Future[T]:
        """What was decided is kept, be it a refusal, which is raised then."""
        done: Future[T] = asyncio.get_running_loop().create_future()
        answer = self._transaction(work).result()
        if isinstance(answer, Refused):
            done.set_exception(answer)
        else:
            done.set_result(answer)
        return done

    async def thread(self, thread_id: str) -> Thread | None:
        return self._tables.thread(thread_id)

    async def task(self, task_id: str) -> TaskRecord | None:
        task = self._tables.task(task_id)
        return memory_listing.record(self._tables, task) if task else None

    async def tasks_with(self, task_ids: Sequence[str]) -> Sequence[TaskRecord]:
        found = (self._tables.task(task_id) for task_id in task_ids)
        return [memory_listing.record(self._tables, task) for task in found if task is not None]

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

    def claim_reaps(self, claims: Sequence[ReapClaim]) -> Future[Sequence[bool]]:
        return self._transaction(lambda tables: claim_all(tables, claims))

    async def to_terminate(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        return memory_reaping.to_terminate(self._tables, limit)

    async def prune(self, before: Timestamp, *, limit: int) -> int:
        return await self._transaction(lambda t: memory_pruning.prune(t, before, limit))

    async def sums(self, *, since: str = "") -> Sequence[Sum]:
        return [one for _, one in sorted(self._tables.sums.items()) if one.day >= since]

    async def open_intents(self, *, before: Timestamp) -> Sequence[Intent]:
        old = [i for i in self._tables.intents.values() if i.created_at < before]
        return sorted(old, key=lambda intent: (intent.created_at, intent.intent_id))

    # ports.Figures

    @property
    def waiting(self) -> int:
        return 0

    async def census(self) -> Census:
        return memory_figures.census(self._tables)

    async def happened(self, after: int, *, limit: int) -> Stretch:
        return memory_figures.happened(self._tables, after, limit)

    async def used(self) -> Sequence[Used]:
        return [one for _, one in sorted(self._tables.used.items())]

    # ports.Reports

    async def report(self, query: ReportQuery) -> Report:
        return memory_reporting.report(self._tables, query)

    # ports.Replies

    def admit_once(self, start: Start, policy: Policy, claim: Claim) -> Future[Intent | Earlier]:
        def work(tables: Tables) -> Intent | Refused | Earlier:
            return admit_once(
                tables,
                self._replies,
                start,
                claim,
                lambda: admit_by(
                    policy, tables, Tally(tables.tallies, tables, start.at, policy), start
                ),
            )

        return self._decided(work)

    def settle_reply(self, taken: Taken) -> Future[None]:
        return self._transaction(lambda _: settle(self._replies, taken))

    def forget_reply(self, key: str, intent_id: str) -> Future[None]:
        return self._transaction(lambda _: forget(self._replies, key, intent_id))

    async def prune_replies(self, upto: Timestamp, *, limit: int) -> int:
        return await self._transaction(lambda _: self._replies.prune(upto, limit))

    # ports.SpanPlaces

    async def spans_claimed(self, name: str) -> int | None:
        return self._tables.span_places.get(name)

    async def begin_spans(self, *names: str) -> None:
        last = await self.last_event()
        for name in names:
            self._tables.span_places.setdefault(name, last)

    async def claim_spans(self, name: str, after: int, upto: int) -> bool:
        if self._tables.span_places.get(name) != after:
            return False
        self._tables.span_places[name] = upto
        return True

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

    async def check(self) -> str:
        return f"memory store of {len(self._tables.tasks)} tasks: they end with this process"

    async def aclose(self) -> None:
        self._closed = True
