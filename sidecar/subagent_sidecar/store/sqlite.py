"""The books in one SQLite file, through sqlite-utils.

Writes go to the `Writer`; reads use read-only connections on a small pool of threads, and in WAL
mode never wait for a write. synchronous=FULL: a commit that was acknowledged survives a power cut
(NORMAL lost 11 to 20 % of them when measured).
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core import book
from ..core.admission import NO_RULES, admit_by
from ..core.at_large import apart
from ..core.budgets import BudgetIn, spent
from ..core.candidates import ReapClaim
from ..core.changes import Change, Start
from ..core.claims import claim_all
from ..core.decide import decide
from ..core.idempotency import Claim, Earlier, Taken, admit_once, forget, settle
from ..core.key_events import key_created, key_revoked
from ..core.keys import Key
from ..core.matching import Call
from ..core.metrics.meters import StoreMeter
from ..core.model import Intent, Timestamp, timestamp
from ..core.policy import Policy
from ..core.push.deliveries import Delivery
from ..core.verdict import Allow, Deny, Spent
from ..errors import StoreError
from . import deliveries as delivery_rows
from . import keys as key_rows
from .connections import connect_writer
from .driver import version
from .pruning import Pruner
from .sqlite_reading import Readers, SqliteReading
from .touches import Touches
from .working_set import WorkingSet
from .writer import Writer

_TAILS_AFTER = 1_000
"""Starts after which their tails are indexed; until then each reader sorts them for itself."""


class SqliteStore(SqliteReading):
    """ports.Store on a file. Use `open`; several processes may share one file."""

    def __init__(self, path: Path, *, queue_limit: int) -> None:
        self._path = path
        self._writer = Writer(lambda: connect_writer(path), limit=queue_limit)
        self._readers = Readers(path, self.meter.failed)
        super().__init__(self._readers)
        self._starts = 0
        self._pruner = Pruner(self._read, self._writer.submit)

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
            entered = self._writer.submit(WorkingSet.enter_tails)
        except StoreError:
            return  # busy or closed: there will be another time
        entered.add_done_callback(self._tails_entered)

    def _tails_entered(self, entered: asyncio.Future[bool]) -> None:
        if not entered.cancelled() and entered.exception() is None and entered.result():
            self._enter_tails()

    def admit(self, start: Start, policy: Policy = NO_RULES) -> asyncio.Future[Intent]:
        self._count_start()
        return self._writer.submit(_admit, start, policy, touch=Touches.start)

    def _count_start(self) -> None:
        self._starts += 1
        if self._starts == _TAILS_AFTER:
            self._enter_tails()

    def explain(self, call: Call, policy: Policy, now: datetime) -> asyncio.Future[Allow | Deny]:
        def work(rows: WorkingSet) -> Allow | Deny:
            verdict = decide(policy, rows.tally(timestamp(now), policy), call, now)
            return apart(rows, verdict) if isinstance(verdict, Deny) else verdict

        return self._writer.submit(work)

    def spent(
        self, asked: Sequence[BudgetIn], now: datetime, *, apart: bool = False
    ) -> asyncio.Future[Sequence[Spent]]:
        def work(rows: WorkingSet) -> Sequence[Spent]:
            return spent(rows.tally(timestamp(now)), asked, now, apart=apart)

        return self._writer.submit(work)

    def apply(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        return self._writer.submit(_apply, changes, touch=Touches.changes)

    def claim_reaps(self, claims: Sequence[ReapClaim]) -> asyncio.Future[Sequence[bool]]:
        return self._writer.submit(claim_all, claims, touch=Touches.claims)

    async def prune(self, before: Timestamp, *, limit: int) -> int:
        return await self._pruner.prune(before, limit)

    # ports.Figures

    @property
    def meter(self) -> StoreMeter:
        return self._writer.meter

    @property
    def waiting(self) -> int:
        return self._writer.waiting

    # ports.Replies

    def admit_once(
        self, start: Start, policy: Policy, claim: Claim
    ) -> asyncio.Future[Intent | Earlier]:
        self._count_start()
        return self._writer.submit(_admit_once, start, policy, claim, touch=Touches.start)

    def settle_reply(self, taken: Taken) -> asyncio.Future[None]:
        return self._writer.submit(lambda rows: settle(rows.replies(), taken))

    def forget_reply(self, key: str, intent_id: str) -> asyncio.Future[None]:
        return self._writer.submit(lambda rows: forget(rows.replies(), key, intent_id))

    async def prune_replies(self, upto: Timestamp, *, limit: int) -> int:
        return await self._writer.submit(lambda rows: rows.replies().prune(upto, limit))

    # ports.SpanPlaces

    async def begin_spans(self, *names: str) -> None:
        await self._writer.submit(lambda rows: rows.begin_spans(names))

    async def claim_spans(self, name: str, after: int, upto: int) -> bool:
        return await self._writer.submit(lambda rows: rows.claim_spans(name, after, upto))

    # ports.Deliveries

    async def enter_deliveries(
        self, name: str, after: int, upto: int, deliveries: Sequence[Delivery]
    ) -> bool:
        def work(rows: WorkingSet) -> bool:
            return rows.work(lambda do: delivery_rows.enter(do, name, after, upto, deliveries))

        return await self._writer.submit(work)

    async def claim_deliveries(
        self, target: str, *, now: Timestamp, until: Timestamp, limit: int
    ) -> Sequence[Delivery]:
        def work(rows: WorkingSet) -> Sequence[Delivery]:
            return rows.work(lambda do: delivery_rows.claim(do, target, now, until, limit))

        return await self._writer.submit(work)

    async def settle_delivery(self, delivery: Delivery, again: Timestamp | None) -> None:
        def work(rows: WorkingSet) -> None:
            rows.work(lambda do: delivery_rows.settle(do, delivery, again))

        await self._writer.submit(work)

    async def drop_deliveries(self, before: Timestamp) -> Mapping[str, int]:
        def work(rows: WorkingSet) -> Mapping[str, int]:
            return rows.work(lambda do: delivery_rows.drop(do, before))

        return await self._writer.submit(work)

    # ports.SupervisorKeys

    async def add_key(self, key: Key) -> None:
        def work(rows: WorkingSet) -> None:
            rows.work(lambda do: key_rows.add(do, key))
            rows.add_event(key_created(key))

        await self._writer.submit(work)

    async def revoke_key(self, key_id: str, *, at: Timestamp, by: str | None = None) -> bool:
        def work(rows: WorkingSet) -> bool:
            name = rows.work(lambda do: key_rows.revoke(do, key_id, at))
            if name is not None:
                rows.add_event(key_revoked(key_id, name, at, by))
            return name is not None

        return await self._writer.submit(work)

    async def check(self) -> str:
        await self._read(lambda conn: conn.execute("SELECT 1 FROM tasks LIMIT 1").fetchone())
        return f"{version()} at {self._path}"

    async def aclose(self) -> None:
        try:
            await self._readers.aclose()
        finally:
            self._writer.end()
        await self._writer.aclose()


def _admit(rows: WorkingSet, start: Start, policy: Policy) -> Any:
    return admit_by(policy, rows, rows.tally(start.at, policy), start)


def _admit_once(rows: WorkingSet, start: Start, policy: Policy, claim: Claim) -> Any:
    return admit_once(rows, rows.replies(), start, claim, lambda: _admit(rows, start, policy))


def _apply(rows: WorkingSet, changes: Sequence[Change]) -> None:
    for change in changes:
        book.apply(rows, change)
