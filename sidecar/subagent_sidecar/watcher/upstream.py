"""Watches the live tasks of one upstream: a loop that starts what the schedule says is due.

A few questions are on their way at once, so that a slow answer holds up no others. While the
server does not answer there is but one, now and then.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..core.lifecycle import has_ended, thread_status
from ..core.model import LiveChain, RunStatus, TaskStatus, ThreadStatus, Timestamp
from ..core.watch import Schedule, Tempo
from ..core.watched import NEVER, Next, Watched
from ..credentials import Credentials
from ..errors import StoreError, UpstreamError, UpstreamRefused
from ..ports import AgentServer, Clock, Headers, Store
from ..service import Service
from ..tasks import spawn
from .asking import Asker
from .health import Health, is_about_the_question, is_locked
from .reading import Reader

_log = logging.getLogger(__name__)

_AT_ONCE = 8
_LOCKED_S = 30.0
_SEARCH_AGAIN_S = 300.0
_LOAD_AGAIN_S = 5.0
_PAGE = 1_000


class UpstreamWatch:
    """`run` is its loop; everything else takes note and returns at once."""

    def __init__(
        self,
        name: str,
        server: AgentServer,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        credentials: Credentials,
        tempo: Tempo,
        jitter: Callable[[], float],
        confirm_s: float,
    ) -> None:
        self._name = name
        self._service = service
        self._store = store
        self._now = clock.monotonic
        self._health = Health(name, now=service.now, jitter=jitter)
        self._schedule = Schedule(tempo, jitter)
        self._credentials = credentials
        self._asker = Asker(
            server, credentials=credentials, clock=clock, health=self._health, tempo=tempo
        )
        self._reader = Reader(
            name,
            self._asker,
            service=service,
            store=store,
            clock=clock,
            health=self._health,
            confirm_s=confirm_s,
        )
        self._search_again_at = self._search_broke_at = NEVER
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._working: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._schedule)

    def unknown_since(self, task_id: str) -> Timestamp | None:
        """Since when nobody can tell how the task stands, None if somebody can."""
        if self._health.down_since is not None:
            return self._health.down_since
        watched = self._schedule.get(task_id)
        return None if watched is None else self._health.locked_since(self._auth(task_id))

    def _auth(self, task_id: str) -> Headers:
        return self._credentials.of(task_id)

    # What is told

    def follow(self, task_id: str, run_id: str, *, soon: bool) -> None:
        """See ports.Follower."""
        now = self._now()
        watched = self._schedule.get(task_id)
        if watched is None:
            if not soon:
                return  # it has ended already
            watched = self._schedule.add(task_id, now)
            watched.saw_run(run_id, RunStatus.RUNNING, now)
        else:
            watched.known = watched.known or not soon
        if soon or len(watched.live_runs) > 1:
            self._schedule.soon(watched, now)
        self._woken.set()

    def leave(self, task_id: str) -> None:
        """Somebody else sees to it."""
        self._schedule.drop(task_id)

    def run_moved(self, task_id: str, run_id: str, status: RunStatus) -> None:
        now = self._now()
        watched = self._schedule.get(task_id)
        if watched is None:
            if has_ended(status):
                return
            watched = self._schedule.add(task_id, now)
            self._woken.set()
        had_live = bool(watched.live_runs)
        watched.saw_run(run_id, status, now)
        if had_live and not watched.live_runs and not watched.reading:
            self._schedule.looked(watched, now)  # its thread tells whether that was all
            self._woken.set()
        if self._health.locked:
            self._schedule.look(watched, now)  # whoever saw it may have brought credentials
        if self._health.failing:
            self._health.probe_now()
            self._woken.set()

    def thread_moved(self, task_id: str, status: ThreadStatus) -> None:
        watched = self._schedule.get(task_id)
        if watched is None or watched.reading:
            return
        if self._schedule.glanced(watched, status, self._now()) is Next.DONE:
            self._schedule.drop(task_id)
        self._woken.set()

    def load(self, chain: LiveChain) -> None:
        """A live task that is on record from before."""
        if self._schedule.get(chain.task_id) is not None:
            return
        now = self._now()
        watched = self._schedule.add(chain.task_id, now)
        watched.known = True
        for run_id, status in chain.runs:
            watched.saw_run(run_id, status, now)
        if chain.status is TaskStatus.WAITING:
            watched.last_end = RunStatus.SUCCESS
        self._schedule.spread(watched, now)
        if len(watched.live_runs) > 1:
            self._schedule.soon(watched, watched.look_at)

    # The loop

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._load_all()
        while True:
            await self._until_due()
            await self._slots.acquire()
            work = self._next(self._now())
            if work is None:
                self._slots.release()
                continue
            task = spawn(work, name=f"watch {self._name}")
            self._working.add(task)
            task.add_done_callback(self._worked)

    def _worked(self, task: "asyncio.Task[None]") -> None:
        self._working.discard(task)
        self._slots.release()
        self._woken.set()

    async def _load_all(self) -> None:
        after: tuple[Timestamp, str] | None = None
        while True:
            try:
                chains = await self._store.live_chains(self._name, after=after, limit=_PAGE)
            except StoreError as error:
                _log.warning("live tasks cannot be read yet: %s", error)
                await asyncio.sleep(_LOAD_AGAIN_S)
                continue
            for chain in chains:
                self.load(chain)
            if len(chains) < _PAGE:
                return
            after = chains[-1].created_at, chains[-1].task_id

    def _due_at(self) -> float:
        due = self._schedule.next_at()
        if not self._health.failing:
            return due
        return NEVER if self._working else max(due, self._health.retry_at)

    async def _until_due(self) -> None:
        while (wait := self._due_at() - self._now()) > 0:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait == NEVER else wait):
                    await self._woken.wait()

    def _next(self, now: float) -> Any:
        """The work that is due now, as a coroutine; None if there is none."""
        if self._due_at() > now:
            return None
        if now >= self._search_again_at or self._health.back_at > self._search_broke_at:
            self._search_broke_at = NEVER
            self._schedule.batched, self._search_again_at = True, NEVER
        if batch := self._schedule.next_batch(now, self._auth):
            return self._look(batch) if self._schedule.batched else self._look_closely(batch[0])
        if (watched := self._schedule.next_read(now)) is not None:
            return self._read(watched)
        return None

    async def _look(self, batch: Sequence[Watched]) -> None:
        """Ask for the threads of all of them."""
        try:
            batch = [each for each in batch if await self._on_record(each)]
            words = await self._words(batch) if batch else {}
            for watched in batch:
                self._glanced(watched, words)
        finally:
            now = self._now()
            for watched in batch:
                if watched.look_at == NEVER:  # it was not to be: the server is in trouble
                    self._schedule.look(watched, now)

    async def _words(self, batch: Sequence[Watched]) -> Mapping[str, str] | None:
        """The threads' status words; None where the server does not say."""
        ids = [each.task_id for each in batch]
        try:
            words = await self._asker.ask(
                ids[0], lambda server, auth: server.threads(ids, auth=auth), telling=False
            )
        except UpstreamError as error:
            if is_locked(error) and not await self._shows(batch[0]):
                self._lock_out(batch)
                return None
            _log.debug("cannot look at %d threads of %s: %s", len(ids), self._name, error)
            if not isinstance(error, UpstreamRefused):
                return None
            if not is_about_the_question(error):
                self._search_broke_at = self._now()  # reads will tell whether all of it is
            words = None
        if words is None:
            self._schedule.batched = False
            self._search_again_at = self._now() + _SEARCH_AGAIN_S
            return None
        self._health.let_in(self._auth(ids[0]))
        return words

    async def _shows(self, watched: Watched) -> bool:
        """Whether a server that forbids the search shows a thread to the same credentials."""
        try:
            await self._asker.ask(
                watched.task_id,
                lambda server, auth: server.thread_status(watched.task_id, auth=auth),
                telling=False,
            )
        except UpstreamError:
            return False
        return True

    def _lock_out(self, batch: Sequence[Watched]) -> None:
        self._health.locked_out(self._auth(batch[0].task_id))
        for watched in batch:
            pause = max(_LOCKED_S, self._schedule.interval)
            self._schedule.look(watched, self._now() + pause)

    def _glanced(self, watched: Watched, words: Mapping[str, str] | None) -> None:
        if words is None or self._schedule.get(watched.task_id) is not watched:
            return
        word = thread_status(words.get(watched.task_id))
        if self._schedule.glanced(watched, word, self._now()) is Next.DONE:
            self._service.thread_seen(self._name, watched.task_id, word)
            self._schedule.drop(watched.task_id)

    async def _look_closely(self, watched: Watched) -> None:
        """Look at one task of a server that cannot show many at once."""
        self._schedule.looked(watched, self._now())
        if watched.read_at == NEVER and not watched.reading:
            watched.step = max(watched.step, 1_000)  # no quick reads after it, unless wanted
            await self._read(watched)

    async def _read(self, watched: Watched) -> None:
        telling, failed, verdict = not self._schedule.batched, False, Next.LATER
        watched.reading = True
        try:
            if await self._on_record(watched):
                verdict = await self._reader.read(watched, telling=telling)
                self._health.let_in(self._auth(watched.task_id))
        except UpstreamError as error:
            failed = True
            _log.debug("cannot read task %s: %s", watched.task_id, error)
            if telling and is_locked(error):
                self._lock_out([watched])
        finally:
            watched.reading = False
            if verdict is Next.DONE:
                self._schedule.drop(watched.task_id)
            elif self._schedule.get(watched.task_id) is watched:
                self._schedule.was_read(watched, self._now(), failed=failed)

    async def _on_record(self, watched: Watched) -> bool:
        """Whether the books know the task, and do not know it to be over: others poll what is
        none of ours, and what they see may be old."""
        if watched.known:
            return True
        try:
            record = await self._reader.record(watched.task_id)
        except StoreError:
            return True  # in doubt it is looked at
        if record is None or record.task.upstream != self._name:
            self._schedule.drop(watched.task_id)
            return False
        watched.known = record.task.live or not all(run.ended for run in record.runs)
        if not watched.known:
            self._schedule.drop(watched.task_id)
        return watched.known

    async def aclose(self) -> None:
        """Drop what is being asked."""
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
