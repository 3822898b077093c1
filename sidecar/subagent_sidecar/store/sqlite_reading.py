"""What is read of the SQLite file, on threads that never wait for a write."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from ..core.candidates import Candidate
from ..core.decisions import Decision
from ..core.feed import EventPage, EventQuery, ToldEvent
from ..core.keys import Key
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
from ..core.past import DecisionPage, DecisionQuery, StartPage, StartQuery
from ..core.policy import Budget
from ..core.report import Report, ReportQuery
from ..core.sessions import Session, SessionKey, SessionPage, SessionQuery
from ..core.sums import Sum
from ..core.trees import TreePage
from ..core.verdict import Freeze, Spent
from ..errors import StoreError, StoreUnavailable
from . import (
    counting,
    deliveries,
    feed,
    figures,
    keys,
    names,
    past,
    reaping,
    reporting,
    sessions,
    span_places,
    trees,
)
from .chains import live_chains, loose_ends
from .connections import connect_reader
from .driver import sqlite3
from .listing import list_tasks, records, tasks_named
from .owners import OwnersReading, Read
from .rows import EVENT_COLUMNS, INTENTS, RUNS, SUMS, TASKS, THREADS, read_event
from .spenders import spenders
from .unpriced import unpriced, unpriced_models
from .writer import as_store_error

T = TypeVar("T")

_LOOKED_BACK = 20
"""Stretches of the record that a reader of the newest events looks at (see feed.py)."""

_READERS = 2
_THREAD = THREADS.select("WHERE thread_id = ?")
_TASK = TASKS.select("WHERE task_id = ?")
_LIVE = TASKS.select("WHERE ended_at IS NULL AND upstream = ? ORDER BY created_at, task_id LIMIT ?")
_ENDS_ASKED = """
    SELECT tasks.upstream, runs.task_id, runs.run_id FROM runs JOIN tasks USING (task_id)
    WHERE runs.cancel_reason IS NOT NULL AND runs.status IN ('pending', 'running', 'interrupted')
    ORDER BY runs.cancel_asked_at DESC, runs.task_id DESC, runs.run_id DESC LIMIT ?
"""
_EVENTS = f"SELECT {EVENT_COLUMNS} FROM events WHERE task_id = ? ORDER BY seq DESC LIMIT ?"
_OPEN_CANCELS = RUNS.select(
    "WHERE cancel_asked_at IS NOT NULL AND cancel_confirmed_at IS NULL "
    "AND (ended_at IS NULL OR status = 'interrupted') "
    "ORDER BY cancel_asked_at, task_id, run_id LIMIT ?"
)
_UPSTREAM = "SELECT upstream FROM tasks WHERE task_id = ?"
_SUMS = SUMS.select("WHERE day >= ? ORDER BY 1, 2, 3, 4, 5, 6")
_OPEN_INTENTS = INTENTS.select("WHERE created_at < ? ORDER BY created_at, intent_id")


class Readers:
    """Read-only connections, one to a thread. `failed` is told what went wrong."""

    def __init__(self, path: Path, failed: Callable[[StoreError], None]) -> None:
        self._path = path
        self._failed = failed
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._closed = False
        self._closing: asyncio.Future[None] | None = None

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Raises StoreError."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._on, work)

    def _on(self, work: Callable[[sqlite3.Connection], T]) -> T:
        conn = getattr(self._local, "conn", None)
        try:
            if conn is None:
                conn = self._local.conn = connect_reader(self._path)
                self._connections.append(conn)
            return work(conn)
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            ours = as_store_error(error)
            self._failed(ours)
            raise ours from error

    async def aclose(self) -> None:
        """Wait for what is being read and close the connections, which is done even where the
        one who asked for it does not wait."""
        self._closed = True
        if self._closing is None:
            loop = asyncio.get_running_loop()
            self._closing = loop.run_in_executor(None, self._close)
        await asyncio.shield(self._closing)

    def _close(self) -> None:
        self._threads.shutdown()  # no connection may be closed while a thread is at it
        while self._connections:
            self._connections.pop().close()


class SqliteReading(OwnersReading):
    """The part of ports.Store that only reads."""

    def __init__(self, readers: Readers) -> None:
        self._read: Read = readers.read

    async def spenders(
        self, budget: Budget, now: datetime, *, limit: int
    ) -> Sequence[tuple[str, Spent]]:
        return await self._read(lambda conn: spenders(conn, budget, now, limit))

    async def unpriced_models(self, *, after: str = "", limit: int) -> Sequence[str]:
        return await self._read(lambda conn: unpriced_models(conn, after, limit))

    async def unpriced(
        self, model: str, *, after: tuple[str, str] | None = None, limit: int
    ) -> Sequence[UsageEntry]:
        return await self._read(lambda conn: unpriced(conn, model, after, limit))

    async def freezes(self) -> Sequence[Freeze]:
        return await self._read(lambda conn: counting.freezes(conn.execute))

    async def has(self, scope: Scope, scope_id: str) -> bool:
        return await self._read(lambda conn: names.has(conn, scope, scope_id))

    async def unrecorded(self, upstream: str, thread_ids: Sequence[str]) -> Mapping[str, bool]:
        return await self._read(lambda conn: names.unrecorded(conn, upstream, thread_ids))

    async def begun(self) -> Timestamp | None:
        return await self._read(names.begun)

    async def names(self, scope: Scope, *, among: int) -> Sequence[str]:
        return await self._read(lambda conn: names.names(conn, scope, among))

    async def thread(self, thread_id: str) -> Thread | None:
        row = await self._read(lambda conn: conn.execute(_THREAD, (thread_id,)).fetchone())
        return None if row is None else THREADS.read(row)

    async def task(self, task_id: str) -> TaskRecord | None:
        def work(conn: sqlite3.Connection) -> TaskRecord | None:
            row = conn.execute(_TASK, (task_id,)).fetchone()
            return None if row is None else records(conn, [TASKS.read(row)])[0]

        return await self._read(work)

    async def tasks_with(self, task_ids: Sequence[str]) -> Sequence[TaskRecord]:
        def work(conn: sqlite3.Connection) -> Sequence[TaskRecord]:
            rows = conn.execute(TASKS.select_keys(len(task_ids)), list(task_ids)).fetchall()
            return records(conn, [TASKS.read(row) for row in rows], short=False)

        return await self._read(work) if task_ids else ()

    async def tasks_named(self, fragment: str, *, limit: int) -> Sequence[str]:
        return await self._read(lambda conn: tasks_named(conn, fragment, limit))

    async def tasks(self, query: TaskQuery) -> TaskPage:
        return await self._read(lambda conn: list_tasks(conn, query))

    async def live_tasks(self, upstream: str, *, limit: int) -> Sequence[Task]:
        rows = await self._read(lambda conn: conn.execute(_LIVE, (upstream, limit)).fetchall())
        return [TASKS.read(row) for row in rows]

    async def live_chains(
        self, upstream: str, *, after: tuple[Timestamp, str] | None, limit: int
    ) -> Sequence[LiveChain]:
        return await self._read(lambda conn: live_chains(conn, upstream, after, limit))

    async def loose_ends(self, upstream: str, *, limit: int) -> Sequence[LiveChain]:
        return await self._read(lambda conn: loose_ends(conn, upstream, limit))

    async def ends_asked(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        rows = await self._read(lambda conn: conn.execute(_ENDS_ASKED, (limit,)).fetchall())
        return rows[::-1]

    async def events(self, task_id: str, *, limit: int) -> Sequence[Event]:
        rows = await self._read(lambda conn: conn.execute(_EVENTS, (task_id, limit)).fetchall())
        return [read_event(row) for row in reversed(rows)]

    async def open_cancels(self, *, limit: int) -> Sequence[tuple[str, Run]]:
        def work(conn: sqlite3.Connection) -> list[tuple[str, Run]]:
            runs = [RUNS.read(row) for row in conn.execute(_OPEN_CANCELS, (limit,)).fetchall()]
            return [(conn.execute(_UPSTREAM, (run.task_id,)).fetchone()[0], run) for run in runs]

        return await self._read(work)

    async def events_after(self, query: EventQuery) -> EventPage:
        return await self._read(lambda conn: feed.events_after(conn, query))

    async def newest_events(self, query: EventQuery) -> Sequence[ToldEvent]:
        found: list[ToldEvent] = []
        before = await self.last_event() + 1
        for _ in range(_LOOKED_BACK):
            left = query.limit - len(found)
            part, before = await self._read(feed.events_before(query, before, left))
            found += part
            if before == 0 or len(found) == query.limit:
                break
        return found[::-1]

    async def last_event(self) -> int:
        return await self._read(feed.last_event)

    async def position_at(self, moment: Timestamp) -> int:
        return await self._read(lambda conn: feed.position_at(conn, moment))

    async def decisions(self, query: DecisionQuery) -> DecisionPage:
        return await self._read(lambda conn: past.decisions(conn, query))

    async def starts(self, query: StartQuery) -> StartPage:
        return await self._read(lambda conn: past.starts(conn, query))

    async def session(self, supervisor: str, session_id: str) -> Session | None:
        return await self._read(lambda conn: sessions.session(conn, (supervisor, session_id)))

    async def sessions(self, query: SessionQuery) -> SessionPage:
        return await self._read(lambda conn: sessions.list_sessions(conn, query))

    async def leases(self, *, after: SessionKey | None = None, limit: int) -> Sequence[Session]:
        return await self._read(lambda conn: sessions.leases(conn, after, limit))

    async def candidates(
        self, upstream: str, *, after: tuple[Timestamp, str] | None, limit: int
    ) -> Sequence[Candidate]:
        return await self._read(lambda conn: reaping.candidates(conn, upstream, after, limit))

    async def to_terminate(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        return await self._read(lambda conn: reaping.to_terminate(conn, limit))

    async def sums(self, *, since: str = "") -> Sequence[Sum]:
        rows = await self._read(lambda conn: conn.execute(_SUMS, (since,)).fetchall())
        return [SUMS.read(row) for row in rows]

    async def open_intents(self, *, before: Timestamp) -> Sequence[Intent]:
        rows = await self._read(lambda conn: conn.execute(_OPEN_INTENTS, (before,)).fetchall())
        return [INTENTS.read(row) for row in rows]

    async def census(self) -> Census:
        return await self._read(figures.census)

    async def happened(self, after: int, *, limit: int) -> Stretch:
        return await self._read(lambda conn: figures.happened(conn, after, limit))

    async def used(self) -> Sequence[Used]:
        return await self._read(figures.used)

    # ports.Reports

    async def report(self, query: ReportQuery) -> Report:
        return await self._read(lambda conn: reporting.report(conn, query))

    # ports.SpanPlaces

    async def spans_claimed(self, name: str) -> int | None:
        return await self._read(lambda conn: span_places.place(conn.execute, name))

    # ports.Deliveries

    async def next_delivery(self, target: str) -> Timestamp | None:
        return await self._read(lambda conn: deliveries.next_due(conn.execute, target))

    async def deliveries_waiting(self) -> Mapping[str, int]:
        return await self._read(lambda conn: deliveries.waiting(conn.execute))

    # ports.SupervisorKeys

    async def supervisor_keys(self) -> Sequence[Key]:
        return await self._read(lambda conn: keys.every(conn.execute))

    async def keys_state(self) -> tuple[int, int]:
        return await self._read(lambda conn: keys.state(conn.execute))

    # ports.Trees

    async def tree(
        self, tree_ids: Sequence[str], *, after: tuple[Timestamp, str] | None = None, limit: int
    ) -> TreePage:
        return await self._read(lambda conn: trees.tree(conn, tree_ids, after, limit))

    async def moments(self, task_ids: Sequence[str], *, each: int) -> Sequence[Event]:
        return await self._read(lambda conn: trees.moments(conn, task_ids, each))

    async def refused_in(self, sessions: Sequence[str], *, limit: int) -> Sequence[Decision]:
        return await self._read(lambda conn: trees.refused_in(conn, sessions, limit))

    async def trees_in(self, trace_id: str, *, among: int) -> Sequence[str]:
        return await self._read(lambda conn: trees.trees_in(conn, trace_id, among))
