"""The one thread that writes: it owns the only write connection and commits in groups.

SQLite has one writer at a time whatever we do. Giving that role to one thread makes waiting
explicit (a queue with a bound) instead of accidental (lock errors), keeps transactions from ever
spanning an `await`, and lets everything that queued up while the last commit was being synced to
disk share the next one: with synchronous=FULL that is eight times the throughput.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack

from sqlite_utils import Database

from ..core.metrics.meters import StoreMeter
from ..errors import (
    SidecarError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreRejected,
    StoreUnavailable,
)
from .driver import sqlite3
from .kept import Kept
from .touches import Touches
from .working_set import WorkingSet

T = TypeVar("T")
Given = TypeVarTuple("Given")
About = TypeVar("About")
Touch = Callable[[Touches, About], None]
"""Adds the rows that a job is going to ask for, by what it is about."""
_log = logging.getLogger(__name__)

_GROUP = 256
"""Jobs in one commit at most, so that the first of a long queue does not wait for all."""

_SIBLINGS, _PAUSE_S, _PAUSES = 8, 0.004, 2
"""For every eight jobs in a group the next one is given a pause to gather: two at most, and no
second one once it is about as large. As with PostgreSQL's commit_siblings and commit_delay, under
load fewer, larger commits cost everybody less, and a lone start never waits."""


class _Job:
    """`work` on `given`, of which `touch` tells by the first of them what it is about."""

    __slots__ = ("error", "future", "given", "result", "touch", "work")

    def __init__(
        self,
        work: Callable[..., Any],
        given: tuple[Any, ...],
        touch: Touch[Any] | None,
        future: asyncio.Future[Any],
    ) -> None:
        self.work = work
        self.given = given
        self.touch = touch
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class Writer:
    """Runs closures in transactions, on a thread of its own, in the order they were submitted.

    `connect` is called on that thread. `limit` bounds the queue: past it `submit` raises
    StoreBusy at once rather than let callers wait for longer than they would accept.
    """

    def __init__(self, connect: Callable[[], Database], *, limit: int = 10_000) -> None:
        self._connect = connect
        self._limit = limit
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self.meter = StoreMeter()
        self._closed = False
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, name="store-writer", daemon=True)

    async def open(self) -> None:
        """Start the thread; raises what `connect` raised, as a StoreError."""
        self._thread.start()
        await self._opened

    @property
    def waiting(self) -> int:
        """Jobs handed in and not finished."""
        return self._waiting

    def submit(
        self,
        work: Callable[[WorkingSet, Unpack[Given]], T],
        *given: *Given,
        touch: Touch[Any] | None = None,
    ) -> asyncio.Future[T]:
        """Queue `work` on what is `given`, and tell with `touch` of the first of that which rows
        it is going to ask for. The future resolves after the commit that made its effects
        durable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._waiting >= self._limit:
            busy = StoreBusy(f"{self._waiting} writes are waiting for the store; try again")
            self.meter.failed(busy)
            raise busy
        self._waiting += 1
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, given, touch, future))
        return future

    async def aclose(self) -> None:
        """Finish what is queued, close the connection, end the thread."""
        self.end()
        await asyncio.shield(self._ended)

    def end(self) -> None:
        """Likewise, without waiting for it."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)

    def _main(self) -> None:
        try:
            db = self._connect()
        except BaseException as error:  # noqa: BLE001 - handed to the caller of open()
            self._tell(self._open_failed, as_store_error(error))
            return
        self._tell(self._opened.set_result, None)
        kept = Kept()
        more = True
        while more:
            group, more = self._next_group()
            if group:
                begun = time.monotonic()
                _commit(db, group, kept)
                self.meter.committed(len(group), time.monotonic() - begun)
                self._tell(self._deliver, group)
                if more:
                    self._gather(len(group))
        db.conn.close()
        self._tell(self._ended.set_result, None)

    def _open_failed(self, error: StoreError) -> None:
        self._closed = True
        self._ended.set_result(None)
        self._opened.set_exception(error)

    def _next_group(self) -> tuple[list[_Job], bool]:
        """What is waiting, at least one; and whether there will be more: None is the last."""
        get = self._jobs.get
        taken = [get()]
        taken += [get() for _ in range(min(self._jobs.qsize(), _GROUP - 1))]
        group = [job for job in taken if job is not None]
        return group, len(group) == len(taken)

    def _gather(self, last: int) -> None:
        """Let the next group become as large as the last one was, but for an eighth."""
        for _ in range(min(last // _SIBLINGS, _PAUSES)):
            time.sleep(_PAUSE_S)
            if self._jobs.qsize() >= last - last // 8:
                return

    def _tell(self, call: Callable[[Any], object], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:  # the loop is gone: nobody waits any more
            _log.warning("the event loop closed before the store did")

    def _deliver(self, group: list[_Job]) -> None:
        self._waiting -= len(group)
        for job in group:
            future = job.future
            if future.done():
                continue
            if job.error is not None:
                if isinstance(job.error, StoreError):
                    self.meter.failed(job.error)
                future.set_exception(job.error)
            elif isinstance(job.result, SidecarError):
                future.set_exception(job.result)  # an answer, and on record
            else:
                future.set_result(job.result)


def _commit(db: Database, group: list[_Job], kept: Kept) -> None:
    """One transaction for all; when a job of it fails, one for each, so that it fails alone."""
    try:
        # Not db.atomic(): its plain BEGIN takes the write lock only at the first write, and
        # fails at once when another process wrote in between.
        db.conn.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        # Nobody's fault: one by one, each job would wait for the same lock as long again.
        for job in group:
            job.error = as_store_error(error)
        return
    try:
        _enter(db, group, kept)
    except BaseException as error:  # noqa: BLE001 - every job gets its own answer below
        kept.forget()
        if len(group) == 1:
            group[0].error = as_store_error(error)
            return
        for job in group:
            _commit(db, [job], kept)


def _enter(db: Database, group: list[_Job], kept: Kept) -> None:
    """Do the jobs and commit the open transaction, or roll it back."""
    try:
        # It moves when another process has written to the file, which told nobody here.
        kept.true_of(db.conn.execute("PRAGMA data_version").fetchone()[0])
        touches = Touches()
        for job in group:
            if job.touch is not None:
                job.touch(touches, job.given[0])
        rows = WorkingSet(db, touches, kept)
        for job in group:
            job.result = job.work(rows, *job.given)
        rows.flush()
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise


def as_store_error(error: BaseException) -> StoreError:
    """Ours for theirs: trouble that passes, damage, or a job that can never be done."""
    match error:
        case StoreError():
            return error
        case sqlite3.OperationalError():
            return StoreUnavailable(f"the store cannot be used now: {error}")
        case sqlite3.IntegrityError() | sqlite3.DataError() | sqlite3.ProgrammingError():
            return StoreRejected(f"the store does not take this: {error}")
        case sqlite3.DatabaseError():
            return StoreCorrupt(f"the store's file is damaged: {error}")
        case _:
            _log.error("a store job failed", exc_info=error, extra={"action": "store_job_failed"})
            return StoreRejected(f"the store does not take this: {type(error).__name__}")
