"""Stores on one file, as several processes have them, and a world in which things happen."""

import asyncio
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tests.integration.store.world import LetIn, World
from tests.support.books import at
from tests.support.books import start as asked_for
from tests.support.stores import END_OF_TIME

from subagent_sidecar.core.changes import (
    Accepted,
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Change,
    Doubted,
    NewRun,
    Released,
    RunSeen,
    Start,
    ThreadSeen,
    UsageSeen,
    WaitingCancelled,
)
from subagent_sidecar.core.model import (
    EndedBy,
    Intent,
    RunStatus,
    ThreadStatus,
    Timestamp,
    UsageEntry,
)
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.store.sqlite import SqliteStore

_SESSIONS = ("s1", "s1", "s2")
_SUPERVISOR = {"s1": "ann", "s2": "bob"}
_USED = (0, 20, 20)
"""Tokens of a run; never more than is reserved, or the budget would be overdrawn by right."""


class Play:
    """`second` counts from the beginning of the story."""

    def __init__(self, folder: Path, policy: Policy, processes: int) -> None:
        self.world = World(policy=policy)
        self.stores: list[SqliteStore] = []
        self.second = 0.0
        self._folder = folder
        self._processes = processes
        self._files = 0
        self._made = 0

    @property
    def at(self) -> Timestamp:
        return at(self.second)

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.at)

    async def open(self) -> None:
        self.stores = [await SqliteStore.open(self._path) for _ in range(self._processes)]

    async def close(self) -> None:
        for store in self.stores:
            await store.aclose()

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._files}.db"

    def _store(self, pick: int) -> SqliteStore:
        return self.stores[pick % len(self.stores)]

    async def _tell(self, pick: int, *changes: Change) -> None:
        await self._store(pick).apply(changes)

    # Starts

    def new_tasks(self, count: int, pick: int) -> list[Start]:
        """Starts of new tasks, some of them of sessions that are tasks themselves."""
        sessions = [*_SESSIONS, *self.world.tasks[-4:]]
        return [self._new_task(sessions[(pick + n) % len(sessions)]) for n in range(count)]

    def _new_task(self, session: str) -> Start:
        agent = "researcher" if self._made % 3 else "coder"
        supervisor = _SUPERVISOR.get(session, "ann")
        facts = {"header_session": session, "supervisor": supervisor, "agent_name": agent}
        return self._start(f"t{self._made + 1}", **facts)

    def follow_ups(self, count: int, pick: int) -> list[Start]:
        task_id = self.world.tasks[pick % len(self.world.tasks)]
        return [self._start(task_id) for _ in range(count)]

    def _start(self, thread_id: str, **facts: str) -> Start:
        self._made += 1
        self.second += 0.001
        return asked_for(self._made, thread_id, at=self.at, **facts)

    def _fire(self, starts: Sequence[Start], pick: int) -> list[asyncio.Future[Intent]]:
        """All at once, at the stores in turn."""
        policy = self.world.policy
        return [self._store(pick + n).admit(each, policy) for n, each in enumerate(starts)]

    async def start(self, starts: Sequence[Start], pick: int) -> None:
        found = await asyncio.gather(*self._fire(starts, pick), return_exceptions=True)
        refused = []
        for each in found:
            if isinstance(each, Intent):
                self.world.starts.append(LetIn(intent=each))
            elif isinstance(each, Refused):
                refused.append(each)
            else:
                raise each
        for refusal in refused:
            assert self.world.justified(refusal.deny.check, self.now), refusal.deny.check

    # What becomes of them

    async def answer(self, start: LetIn, pick: int) -> None:
        """The server's word; once it has decided, it stays with that. It takes what is sent to one
        thread in the order in which it was let in."""
        start = next(s for s in self.world.in_flight if s.task_id == start.task_id)
        if start.taken is None:
            if pick % 4 == 3:  # nobody knows, and nobody will for now
                await self._tell(pick, Doubted(intent=start.intent, at=self.at, reason="lost"))
                return
            start.taken = pick % 4 != 2
        await self._tell(pick, self._outcome(start))
        self._learnt(start)

    def _outcome(self, start: LetIn) -> Change:
        if not start.taken:
            return Released(intent=start.intent, at=self.at, reason="no")
        status = RunStatus.RUNNING if start.intent.intent_id.endswith("1") else RunStatus.PENDING
        run = NewRun(run_id=start.run_id, thread_id=start.task_id, status=status)
        return Accepted(intent=start.intent, at=self.at, runs=(run,))

    def _learnt(self, start: LetIn) -> None:
        start.on_record = bool(start.taken)
        if start.taken:
            self.world.waiting.discard(start.task_id)
        else:
            self.world.starts.remove(start)

    async def end(self, start: LetIn, how: int, pick: int) -> None:
        used = _USED[how % len(_USED)]
        if how == 11:  # it was told to end, and goes on: it keeps its place
            await self._tell(pick, self._asked_to_end(start), self._at_large(start))
            return
        await self._tell(pick, *self._end(start, how), *self._usage(start, used, how % 2 == 0))
        start.over, start.used, start.settled = True, used, how % 2 == 0
        if how % 5 == 4 and start.task_id not in {s.task_id for s in self.world.at_work}:
            self.world.waiting.add(start.task_id)

    def _end(self, start: LetIn, how: int) -> Sequence[Change]:
        match how % 5:
            case 0:
                return [self._seen(start, RunStatus.ERROR)]
            case 1:
                confirmed = CancelConfirmed(
                    thread_id=start.task_id, run_id=start.run_id, at=self.at
                )
                ended = self._seen(start, RunStatus.INTERRUPTED)
                return [self._asked_to_end(start), ended, confirmed]
            case 4:
                return [self._seen(start, RunStatus.SUCCESS), self._thread(start, "interrupted")]
            case _:
                return [self._seen(start, RunStatus.SUCCESS), self._thread(start, "idle")]

    def _seen(self, start: LetIn, status: RunStatus) -> Change:
        return RunSeen(thread_id=start.task_id, run_id=start.run_id, status=status, at=self.at)

    def _thread(self, start: LetIn, word: str) -> Change:
        return ThreadSeen(thread_id=start.task_id, status=ThreadStatus(word), at=self.at)

    def _asked_to_end(self, start: LetIn) -> Change:
        return CancelAsked(
            thread_id=start.task_id, run_id=start.run_id, by=EndedBy.OPERATOR, at=self.at
        )

    def _at_large(self, start: LetIn) -> Change:
        return CancelUnconfirmed(thread_id=start.task_id, run_id=start.run_id, at=self.at)

    def _usage(self, start: LetIn, used: int, settled: bool) -> Sequence[Change]:
        entry = UsageEntry(
            task_id=start.task_id,
            message_id=f"message of {start.run_id}",
            run_id=start.run_id,
            at=self.at,
            model="m",
            input_tokens=used,
            output_tokens=0,
            cost_micro_usd=0,
        )
        known = (start.run_id,) if settled else ()
        return [
            UsageSeen(thread_id=start.task_id, run_id=start.run_id, entries=(entry,), settled=known)
        ]

    async def stop_waiting(self, task_id: str, pick: int) -> None:
        by = EndedBy.OPERATOR
        await self._tell(
            pick, WaitingCancelled(thread_id=task_id, by=by, at=self.at, reason="enough")
        )
        self.world.waiting.discard(task_id)

    # Crashes

    async def crash(self, count: int, pick: int) -> None:
        """All die in the middle of something: what was not acknowledged may be on record or not.
        Then they are there again, and what is open is looked up, as the reconciler does it."""
        done = await self._die(self.new_tasks(count, pick), self.world.in_flight[:1], pick)
        old, self.stores = self.stores, []
        for store in old:
            await store.aclose()
        await asyncio.gather(*done, return_exceptions=True)
        await self.open()
        await self._look_up()

    async def _die(
        self, starts: Sequence[Start], answered: Sequence[LetIn], pick: int
    ) -> Sequence[asyncio.Future[Intent] | asyncio.Future[None]]:
        for start in answered:
            start.taken = pick % 3 != 0 if start.taken is None else start.taken
        futures: list[asyncio.Future[Intent] | asyncio.Future[None]] = []
        futures += [self._store(pick).apply([self._outcome(start)]) for start in answered]
        futures += self._fire(starts, pick)
        if pick % 2:  # all was done; only nobody has heard of it any more
            await asyncio.gather(*futures, return_exceptions=True)
        died = self._path
        self._files += 1
        for suffix in (
            "",
            "-wal",
        ):  # in this order: what a commit has written, it has written whole
            shutil.copy(f"{died}{suffix}", f"{self._path}{suffix}")
        return futures

    async def _look_up(self) -> None:
        """What was never sent, or never answered, is open still; all else is on record."""
        store = self.stores[0]
        found = {i.intent_id: i for i in await store.open_intents(before=END_OF_TIME)}
        for start in self.world.in_flight:
            if start.intent.intent_id not in found:
                assert start.taken is not None, "what was acknowledged is lost"
                self._learnt(start)
        known = {start.intent.intent_id for start in self.world.in_flight}
        for intent in found.values():
            if intent.intent_id not in known:
                self.world.starts.append(LetIn(intent=intent, taken=False))

    async def end_everything(self) -> None:
        """Answer, end and settle all there is."""
        for start in self.world.in_flight:
            start.taken = bool(start.taken)
            await self._tell(0, self._outcome(start))
            self._learnt(start)
        while at_work := self.world.at_work:
            for start in at_work:
                await self.end(start, 2, 1)
        for task_id in sorted(self.world.waiting):
            await self.stop_waiting(task_id, 0)
        for start in self.world.starts:
            await self._tell(0, *self._usage(start, start.used, True))
            start.settled = True
