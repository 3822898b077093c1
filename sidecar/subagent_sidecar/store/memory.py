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
from ..core.refusal import Refused
from ..core.tally import Tally
from ..core.verdict import Allow, Deny, Spent
from . import memory_pruning
from .memory_deliveries import MemoryDeliveries
from .memory_keys import MemoryKeys
from .memory_reading import MemoryReading
from .memory_replies import MemoryReplies
from .memory_tables import Tables

T = TypeVar("T")


class MemoryStore(MemoryReading):
    """ports.Store without a disk; nothing survives the process."""

    def __init__(self, *, begun: Timestamp | None = None) -> None:
        super().__init__(begun)
        self.meter = StoreMeter()
        self._replies = MemoryReplies()
        self._deliveries = MemoryDeliveries()
        self._keys = MemoryKeys()

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

    def claim_reaps(self, claims: Sequence[ReapClaim]) -> Future[Sequence[bool]]:
        return self._transaction(lambda tables: claim_all(tables, claims))

    async def prune(self, before: Timestamp, *, limit: int) -> int:
        return await self._transaction(lambda t: memory_pruning.prune(t, before, limit))

    # ports.Figures

    @property
    def waiting(self) -> int:
        return 0

    # ports.Reports

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

    async def begin_spans(self, *names: str) -> None:
        last = await self.last_event()
        for name in names:
            self._tables.span_places.setdefault(name, last)

    async def claim_spans(self, name: str, after: int, upto: int) -> bool:
        if self._tables.span_places.get(name) != after:
            return False
        self._tables.span_places[name] = upto
        return True

    # ports.Deliveries

    async def enter_deliveries(
        self, name: str, after: int, upto: int, deliveries: Sequence[Delivery]
    ) -> bool:
        if not await self.claim_spans(name, after, upto):
            return False
        self._deliveries.enter(deliveries)
        return True

    async def next_delivery(self, target: str) -> Timestamp | None:
        return self._deliveries.next_due(target)

    async def claim_deliveries(
        self, target: str, *, now: Timestamp, until: Timestamp, limit: int
    ) -> Sequence[Delivery]:
        return self._deliveries.claim(target, now, until, limit)

    async def settle_delivery(self, delivery: Delivery, again: Timestamp | None) -> None:
        self._deliveries.settle(delivery, again)

    async def drop_deliveries(self, before: Timestamp) -> Mapping[str, int]:
        return self._deliveries.drop(before)

    async def deliveries_waiting(self) -> Mapping[str, int]:
        return self._deliveries.count()

    # ports.SupervisorKeys

    async def add_key(self, key: Key) -> None:
        tables = self._tables
        self._keys.add(key)
        tables.add_event(key_created(key))

    async def revoke_key(self, key_id: str, *, at: Timestamp, by: str | None = None) -> bool:
        tables = self._tables
        name = self._keys.revoke(key_id, at)
        if name is not None:
            tables.add_event(key_revoked(key_id, name, at, by))
        return name is not None

    async def supervisor_keys(self) -> Sequence[Key]:
        return self._keys.every()

    async def keys_state(self) -> tuple[int, int]:
        return self._keys.state()

    async def check(self) -> str:
        return f"memory store of {len(self._tables.tasks)} tasks: they end with this process"

    async def aclose(self) -> None:
        self._closed = True
