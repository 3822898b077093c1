"""The books in one SQLite file, through sqlite-utils.

Writes go to the `Writer`; reads use read-only connections on a small pool of threads, and in WAL
mode never wait for a write. synchronous=FULL: a commit that was acknowledged survives a power cut
(NORMAL lost 11 to 20 % of them when measured).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlite_utils import Database

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
from ..core.sessions import Session, SessionKey, SessionPage, SessionQuery
from ..core.sums import Sum
from ..core.verdict import Allow, Deny, Freeze, Spent
from ..errors import StoreError, StoreUnavailable
from . import counting, feed, figures, names, past, reaping, sessions, span_places
from .chains import live_chains, loose_ends
from .driver import sqlite3, version
from .listing import list_tasks, records, tasks_named
from .migrations import migrations
from .pruning import Pruner
from .rows import EVENT_COLUMNS, INTENTS, RUNS, SUMS, TASKS, THREADS, read_event
from .spenders import spenders
from .unpriced import unpriced, unpriced_models
from .working_set import WorkingSet
from .writer import Writer, as_store_error

T = TypeVar("T")

_TAILS_AFTER = 1_000
"""Starts after which their tails are indexed; until then each reader sorts them for itself."""

_LOOKED_BACK = 20
"""Stretches of the record that a reader of the newest events looks at (see feed.py)."""

_BUSY_MS = 5_000
_READERS = 2
_STATEMENTS = 1_024
"""More than there are: each kind comes in every size up to 32 rows."""
_WAL_TRIES = 50
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


class SqliteStore:
    """ports.Store on a file. Use `open`; several processes may share one file."""

    def __init__(self, path: Path, *, queue_limit: int) -> None:
        self._path = path
        self._writer = Writer(lambda: connect_writer(path), limit=queue_limit)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._closed = False
        self._starts = 0
        self._pruner = Pruner(self._read, lambda work: self._writer.submit(work, lambda _: None))

    @classmethod
    async def open(cls, path: Path, *, queue_limit: int = 10_000) -> "SqliteStore":
        """Create or migrate the file. Raises StoreError with the path in it."""
        store = cls(path, queue_limit=queue_limit)
        try:
            await store._writer.open()
        except StoreError as error:
            raise type(error)(f"{path}: {error.message}") from error
        store._enter_tails()
        return store

    def _enter_tails(self) -> None:
        """Enter what stands outside the index of tails, behind what is being done now."""
        self._starts = 0
        try:
            entered = self._writer.submit(WorkingSet.enter_tails, lambda _: None)
        except StoreError:
            return  # busy or closed: there will be another time
        entered.add_done_callback(self._tails_entered)

    def _tails_entered(self, entered: asyncio.Future[bool]) -> None:
        if not entered.cancelled() and entered.exception() is None and entered.result():
            self._enter_tails()

    def admit(self, start: Start, policy: Policy = NO_RULES) -> asyncio.Future[Intent]:
        def work(rows: WorkingSet) -> Any:
            return admit_by(policy, rows, rows.tally(start.at, policy), start)

        self._starts += 1
        if self._starts == _TAILS_AFTER:
            self._enter_tails()
        return self._writer.submit(work, lambda touches: touches.start(start))

    def explain(self, call: Call, policy: Policy, now: datetime) -> asyncio.Future[Allow | Deny]:
        return self._writer.submit(
            lambda rows: decide(policy, rows.tally(timestamp(now), policy), call, now),
            lambda touches: None,
        )

    def spent(
        self, asked: Sequence[BudgetIn], now: datetime, *, apart: bool = False
    ) -> asyncio.Future[Sequence[Spent]]:
        def work(rows: WorkingSet) -> Sequence[Spent]:
            return spent(rows.tally(timestamp(now)), asked, now, apart=apart)

        return self._writer.submit(work, lambda touches: None)

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

    def apply(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        def work(rows: WorkingSet) -> None:
            for change in changes:
                book.apply(rows, change)

        return self._writer.submit(work, lambda touches: touches.changes(changes))

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._on, work)

    def _on(self, work: Callable[[sqlite3.Connection], T]) -> T:
        conn = getattr(self._local, "conn", None)
        try:
            if conn is None:
                conn = self._local.conn = _connect_reader(self._path)
                self._connections.append(conn)
            return work(conn)
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            ours = as_store_error(error)
            self.meter.failed(ours)
            raise ours from error

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
            return records(conn, [TASKS.read(row) for row in rows])

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

    def claim_reaps(self, claims: Sequence[ReapClaim]) -> asyncio.Future[Sequence[bool]]:
        def work(rows: WorkingSet) -> Sequence[bool]:
            return claim_all(rows, claims)

        return self._writer.submit(work, lambda touches: touches.claims(claims))

    async def to_terminate(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        return await self._read(lambda conn: reaping.to_terminate(conn, limit))

    async def prune(self, before: Timestamp, *, limit: int) -> int:
        return await self._pruner.prune(before, limit)

    async def sums(self, *, since: str = "") -> Sequence[Sum]:
        rows = await self._read(lambda conn: conn.execute(_SUMS, (since,)).fetchall())
        return [SUMS.read(row) for row in rows]

    async def open_intents(self, *, before: Timestamp) -> Sequence[Intent]:
        rows = await self._read(lambda conn: conn.execute(_OPEN_INTENTS, (before,)).fetchall())
        return [INTENTS.read(row) for row in rows]

    # ports.Figures

    @property
    def meter(self) -> StoreMeter:
        return self._writer.meter

    @property
    def waiting(self) -> int:
        return self._writer.waiting

    async def census(self) -> Census:
        return await self._read(figures.census)

    async def happened(self, after: int, *, limit: int) -> Stretch:
        return await self._read(lambda conn: figures.happened(conn, after, limit))

    async def used(self) -> Sequence[Used]:
        return await self._read(figures.used)

    # ports.Replies

    def admit_once(
        self, start: Start, policy: Policy, claim: Claim
    ) -> asyncio.Future[Intent | Earlier]:
        def work(rows: WorkingSet) -> Any:
            return admit_once(
                rows,
                rows.replies(),
                start,
                claim,
                lambda: admit_by(policy, rows, rows.tally(start.at, policy), start),
            )

        self._starts += 1
        if self._starts == _TAILS_AFTER:
            self._enter_tails()
        return self._writer.submit(work, lambda touches: touches.start(start))

    def settle_reply(self, taken: Taken) -> asyncio.Future[None]:
        return self._writer.submit(lambda rows: settle(rows.replies(), taken), lambda _: None)

    def forget_reply(self, key: str, intent_id: str) -> asyncio.Future[None]:
        return self._writer.submit(
            lambda rows: forget(rows.replies(), key, intent_id), lambda _: None
        )

    async def prune_replies(self, upto: Timestamp, *, limit: int) -> int:
        return await self._writer.submit(
            lambda rows: rows.replies().prune(upto, limit), lambda _: None
        )

    # ports.SpanPlaces

    async def spans_claimed(self, name: str) -> int | None:
        return await self._read(lambda conn: span_places.place(conn.execute, name))

    async def begin_spans(self, *names: str) -> None:
        await self._writer.submit(lambda rows: rows.begin_spans(names), lambda _: None)

    async def claim_spans(self, name: str, after: int, upto: int) -> bool:
        return await self._writer.submit(
            lambda rows: rows.claim_spans(name, after, upto), lambda _: None
        )

    async def check(self) -> str:
        await self._read(lambda conn: conn.execute("SELECT 1 FROM tasks LIMIT 1").fetchone())
        return f"{version()} at {self._path}"

    async def aclose(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._readers.shutdown)
        while self._connections:
            self._connections.pop().close()
        await self._writer.aclose()


def connect_writer(path: Path) -> Database:
    conn = sqlite3.connect(
        str(path),
        isolation_level=None,
        timeout=_BUSY_MS / 1000,
        cached_statements=_STATEMENTS,
    )
    try:
        db = Database(conn, recursive_triggers=False, execute_plugins=False)
        _use_wal(conn)
        _pragma(conn, "synchronous = FULL")
        _pragma(conn, "cache_size = -16384")
        _pragma(conn, "wal_autocheckpoint = 4000")
        conn.execute("BEGIN IMMEDIATE")  # two processes that start together migrate one by one
        migrations.apply(db)
        conn.execute("COMMIT")
    except BaseException:
        conn.close()  # and roll back
        raise
    return db


def _use_wal(conn: sqlite3.Connection) -> None:
    """Switch a new file to WAL. The busy timeout does not hold for this: of two processes that
    do it at once, one is told at once that the file is locked, and has only to try again."""
    for attempt in range(_WAL_TRIES):
        try:
            _pragma(conn, "journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if attempt == _WAL_TRIES - 1:
                raise
            time.sleep(_BUSY_MS / 1000 / _WAL_TRIES)  # on the writer's own thread


def _connect_reader(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode=ro"
    conn = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False
    )
    _pragma(conn, "query_only = ON")
    return conn


def _pragma(conn: sqlite3.Connection, text: str) -> Any:
    return conn.execute(f"PRAGMA {text}").fetchone()
