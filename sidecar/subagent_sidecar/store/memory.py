"""A store in memory: the twin that tests run on, and `--store memory:` for a first look."""

import asyncio
import copy
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from ..core import book
from ..core.admission import NO_RULES, admit_by
from ..core.budgets import BudgetIn, spent
from ..core.candidates import Candidate, ReapClaim
from ..core.changes import Change, Start
from ..core.claims import claim_all
from ..core.decide import decide
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
    RunStatus,
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
from ..core.sessions import Session, SessionKey, SessionPage, SessionQuery
from ..core.sums import Sum
from ..core.tally import Tally
from ..core.verdict import Allow, Deny, Freeze, Spent
from ..errors import StoreUnavailable
from . import (
    memory_feed,
    memory_figures,
    memory_names,
    memory_past,
    memory_pruning,
    memory_reaping,
    memory_sessions,
    memory_spenders,
)
from .memory_replies import MemoryReplies
from .memory_tables import Tables

T = TypeVar("T")
_MAX_HIDDEN = 1_000
_SHORT = 8
_MAY_END_AS_ASKED = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.INTERRUPTED})


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

        done: Future[Intent] = asyncio.get_running_loop().create_future()
        answer = self._transaction(work).result()
        if isinstance(answer, Refused):
            done.set_exception(answer)
        else:
            done.set_result(answer)
        return done

    def explain(self, call: Call, policy: Policy, now: datetime) -> Future[Allow | Deny]:
        return self._transaction(
            lambda tables: decide(
                policy, Tally(tables.tallies, tables, timestamp(now), policy), call, now
            )
        )

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
        before = copy.copy(self._tables)
        done: Future[T] = asyncio.get_running_loop().create_future()
        before.threads, before.tasks = dict(before.threads), dict(before.tasks)
        before.all_runs, before.intents = dict(before.all_runs), dict(before.intents)
        before.all_usage, before.events = dict(before.all_usage), list(before.events)
        before.sums, before.decisions = dict(before.sums), list(before.decisions)
        before.sessions, before.all_reaps = dict(before.sessions), dict(before.all_reaps)
        before.used = dict(before.used)
        before.all_freezes, before.all_raises = dict(before.all_freezes), dict(before.all_raises)
        try:
            done.set_result(work(self._books))
        except BaseException:
            self._books = before
            before.tallies.forget()
            raise
        return done

    async def thread(self, thread_id: str) -> Thread | None:
        return self._tables.thread(thread_id)

    async def task(self, task_id: str) -> TaskRecord | None:
        task = self._tables.task(task_id)
        return self._record(task) if task else None

    async def tasks_with(self, task_ids: Sequence[str]) -> Sequence[TaskRecord]:
        found = (self._tables.task(task_id) for task_id in task_ids)
        return [self._record(task) for task in found if task is not None]

    async def tasks_named(self, fragment: str, *, limit: int) -> Sequence[str]:
        ids = self._tables.tasks.keys()
        fits = [one for one in ids if one.startswith(fragment) or one.endswith(fragment)]
        if not fits and len(fragment) < _SHORT:
            fits = [one for one in ids if one[-_SHORT:].startswith(fragment)]
        return sorted(fits)[:limit]

    async def tasks(self, query: TaskQuery) -> TaskPage:
        newest_first = sorted(
            self._tables.tasks.values(), key=lambda task: (task.created_at, task.task_id)
        )[::-1]
        matching = [task for task in newest_first if _matches(task, query)]
        shown = [task for task in matching if not self._too_old(task, query)]
        after = query.after
        rest = [task for task in shown if after is None or (task.created_at, task.task_id) < after]
        page = rest[: query.limit]
        more = len(rest) > len(page)
        return TaskPage(
            records=tuple(self._record(task) for task in page),
            next_after=(page[-1].created_at, page[-1].task_id) if more and page else None,
            hidden=0 if after else min(len(matching) - len(shown), _MAX_HIDDEN),
        )

    def _too_old(self, task: Task, query: TaskQuery) -> bool:
        if query.ended_after is None or task.live:
            return False
        at_large = any(run.at_large for run in self._tables.runs(task.task_id))
        return (task.ended_at or "") < query.ended_after and not at_large

    def _record(self, task: Task) -> TaskRecord:
        return TaskRecord(
            task=task,
            runs=tuple(self._tables.runs(task.task_id)),
            short_id=_short_id(task.task_id, self._tables.tasks.keys() - {task.task_id}),
            usage=tuple(e for e in self._tables.all_usage.values() if e.task_id == task.task_id),
            in_doubt=any(i.in_doubt is not None for i in self._tables.intents_on(task.task_id)),
        )

    async def live_tasks(self, upstream: str, *, limit: int) -> Sequence[Task]:
        live = [t for t in self._tables.tasks.values() if t.live and t.upstream == upstream]
        return sorted(live, key=lambda task: (task.created_at, task.task_id))[:limit]

    async def ends_asked(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        asked = [
            run
            for run in self._tables.all_runs.values()
            if run.cancel_reason is not None and run.status in _MAY_END_AS_ASKED
        ]
        asked.sort(key=lambda run: (run.cancel_asked_at or "", run.task_id, run.run_id))
        return [
            (self._tables.tasks[run.task_id].upstream, run.task_id, run.run_id)
            for run in asked[max(len(asked) - limit, 0) :]
        ]

    async def live_chains(
        self, upstream: str, *, after: tuple[Timestamp, str] | None, limit: int
    ) -> Sequence[LiveChain]:
        live = await self.live_tasks(upstream, limit=len(self._tables.tasks))
        rest = [t for t in live if after is None or (t.created_at, t.task_id) > after]
        return [self._chain(task) for task in rest[:limit]]

    async def loose_ends(self, upstream: str, *, limit: int) -> Sequence[LiveChain]:
        ended = [task for task in self._tables.tasks.values() if not task.live]
        ended.sort(key=lambda task: (task.ended_at or "", task.task_id), reverse=True)
        mine = [task for task in ended[:limit] if task.upstream == upstream]
        mine.sort(key=lambda task: (task.created_at, task.task_id))
        chains = [(task, self._chain(task)) for task in mine]
        return [chain for task, chain in chains if chain.runs or task.half_seen]

    def _chain(self, task: Task) -> LiveChain:
        return LiveChain(
            task_id=task.task_id,
            created_at=task.created_at,
            status=task.status,
            runs=tuple(
                (run.run_id, run.status) for run in self._tables.runs(task.task_id) if not run.ended
            ),
        )

    async def events(self, task_id: str, *, limit: int) -> Sequence[Event]:
        mine = [event for event in self._tables.events if event.task_id == task_id]
        return mine[max(len(mine) - limit, 0) :]

    async def open_cancels(self, *, limit: int) -> Sequence[tuple[str, Run]]:
        found = [run for run in self._tables.all_runs.values() if run.cancel_open]
        found.sort(key=lambda run: (run.cancel_asked_at or "", run.task_id, run.run_id))
        tasks = self._tables.tasks
        return [(tasks[run.task_id].upstream, run) for run in found[:limit]]

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

        done: Future[Intent | Earlier] = asyncio.get_running_loop().create_future()
        answer = self._transaction(work).result()
        if isinstance(answer, Refused):
            done.set_exception(answer)
        else:
            done.set_result(answer)
        return done

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

    async def check(self) -> str:
        return f"memory store of {len(self._tables.tasks)} tasks: they end with this process"

    async def aclose(self) -> None:
        self._closed = True


def _matches(task: Task, query: TaskQuery) -> bool:
    return (
        query.session_id in (None, task.session_id)
        and query.supervisor in (None, task.supervisor)
        and query.agent_name in (None, task.agent_name)
        and query.upstream in (None, task.upstream)
        and (not query.statuses or task.status in query.statuses)
        and (query.since is None or task.created_at >= query.since)
    )


def _short_id(task_id: str, others: set[str]) -> str:
    for length in range(_SHORT, len(task_id)):
        tail = task_id[-length:]
        if not any(other.endswith(tail) for other in others):
            return tail
    return task_id
