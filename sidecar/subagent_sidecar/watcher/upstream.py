"""Watches the live tasks of one upstream: a loop that starts what the schedule says is due.

A few questions are on their way at once, so that a slow answer holds up no others. While the
server does not answer there is but one, now and then.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..core.changes import NewRun
from ..core.lifecycle import has_ended, thread_status
from ..core.model import LiveChain, RunStatus, TaskStatus, ThreadStatus, Timestamp
from ..core.watch import Schedule, Tempo
from ..core.watched import NEVER, Next, Watched
from ..credentials import Credentials
from ..errors import StoreError, UpstreamError
from ..ports import AgentServer, Clock, Headers, Store
from ..service import Service
from ..tasks import spawn
from .asking import Asker
from .books import Books
from .health import Health, is_locked
from .reading import Reader
from .searching import Searcher

_log = logging.getLogger(__name__)

_AT_ONCE = 8
_LOCKED_S = 30.0


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
        self._books = Books(name, service=service, store=store)
        self._now = clock.monotonic
        self._health = Health(name, now=service.now, jitter=jitter)
        self._schedule = Schedule(tempo, jitter)
        self._credentials = credentials
        self._asker = Asker(
            server, credentials=credentials, clock=clock, health=self._health, tempo=tempo
        )
        self._searcher = Searcher(
            name,
            self._asker,
            schedule=self._schedule,
            credentials=credentials,
            health=self._health,
            now=self._now,
        )
        self._reader = Reader(
            name,
            self._asker,
            service=service,
            books=self._books,
            clock=clock,
            health=self._health,
            confirm_s=confirm_s,
        )
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._working: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._asleep_until = NEVER

    def __len__(self) -> int:
        return len(self._schedule)

    @property
    def down(self) -> bool:
        """Whether the server does not answer."""
        return self._health.down_since is not None

    @property
    def lag_s(self) -> float:
        """How late the question is that should have been asked first."""
        due = self._schedule.next_at()
        return 0.0 if due == NEVER else max(self._now() - due, 0.0)

    def unknown_since(self, task_id: str) -> Timestamp | None:
        """Since when nobody can tell how the task stands, None if somebody can."""
        if self._health.down_since is not None:
            return self._health.down_since
        watched = self._schedule.get(task_id)
        return None if watched is None else self._health.locked_since(self._auth(task_id))

    def _auth(self, task_id: str) -> Headers:
        return self._credentials.of(task_id)

    def spare(self) -> bool:
        """Take a turn at asking the server if the watch has no use for it."""
        return self._asker.pace.take_if_free(self._now())

    # What is told

    def follow(self, task_id: str, run_id: str) -> None:
        """See ports.Follower."""
        now = self._now()
        watched = self._schedule.get(task_id)
        if watched is None:
            watched = self._schedule.add(task_id, now)
            watched.saw_run(run_id, RunStatus.RUNNING, now)
        self._schedule.soon(watched, now)
        self._woken.set()

    def leave(self, task_id: str) -> None:
        """Somebody else sees to it."""
        self._schedule.drop(task_id)

    def run_began(self, run: NewRun) -> None:
        """A start was accepted: its task is on record."""
        now = self._now()
        at = None if self._health.troubled else self._schedule.begin(run, now)
        if at is None:
            self.run_moved(run.thread_id, run.run_id, run.status)
            if (watched := self._schedule.get(run.thread_id)) is not None:
                watched.known = True
                if len(watched.live_runs) > 1:  # what becomes of the earlier ones is not told
                    self._schedule.soon(watched, now)
                    self._woken.set()
        elif at < self._asleep_until:  # a loop that is busy need not turn for it
            self._woken.set()

    def run_moved(self, task_id: str, run_id: str, status: RunStatus) -> None:
        now = self._now()
        watched = self._schedule.get(task_id)
        if watched is None:
            if has_ended(status) and status is not RunStatus.SUCCESS:
                return
            watched = self._schedule.add(task_id, now)
            if status is RunStatus.SUCCESS:  # over when it was found: its thread tells if all is
                watched.newest = run_id
                self._schedule.soon(watched, now)
                self._woken.set()
            elif watched.look_at < self._asleep_until:  # a loop that is busy need not turn for it
                self._woken.set()
        had_live = len(watched.live_runs)
        watched.saw_run(run_id, status, now)
        if 0 < had_live < len(watched.live_runs):
            self._schedule.soon(watched, now)  # its thread does not tell when the earlier ones end
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
        """A task that is on record from before, and not over for all that is known."""
        now = self._now()
        watched = self._schedule.get(chain.task_id)
        if watched is not None:  # something new happened to it while the books were read
            watched.had_runs(run_id for run_id, _ in chain.runs)
        else:
            watched = self._adopted(chain, now)
        if len(watched.live_runs) > 1 or chain.status is TaskStatus.SUCCESS:
            self._schedule.soon(watched, watched.look_at)

    def _adopted(self, chain: LiveChain, now: float) -> Watched:
        watched = self._schedule.adopt(chain.task_id, now)
        watched.known = True
        for run_id, status in chain.runs:
            watched.saw_run(run_id, status, now)
        if chain.status in (TaskStatus.WAITING, TaskStatus.SUCCESS):
            watched.last_end = RunStatus.SUCCESS
        if chain.status is TaskStatus.WAITING:
            watched.word = ThreadStatus.INTERRUPTED
        return watched

    # The loop

    async def run(self) -> None:
        """Watch until cancelled."""
        async for chain in self._books.unfinished():
            self.load(chain)
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

    def _due_at(self) -> float:
        due = self._schedule.next_at()
        if not self._health.failing:
            return due
        return NEVER if self._working else max(due, self._health.retry_at)

    async def _until_due(self) -> None:
        while (wait := (due := self._due_at()) - self._now()) > 0:
            self._woken.clear()
            self._asleep_until = due
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait == NEVER else wait):
                    await self._woken.wait()

    def _next(self, now: float) -> Any:
        """The work that is due now, as a coroutine; None if there is none."""
        if self._due_at() > now:
            return None
        self._searcher.resume(now)
        if batch := self._schedule.next_batch(now, self._auth):
            return self._look(batch) if self._schedule.batched else self._look_closely(batch[0])
        if (watched := self._schedule.next_read(now)) is not None:
            return self._read(watched)
        return None

    async def _look(self, batch: Sequence[Watched]) -> None:
        """Ask for the threads of all of them."""
        try:
            batch = [each for each in batch if await self._on_record(each)]
            words = await self._searcher.words(batch) if batch else {}
            for watched in batch:
                self._glanced(watched, words)
        finally:
            for watched in batch:
                if watched.look_at == NEVER:
                    self._look_again(watched)

    def _look_again(self, watched: Watched) -> None:
        """It was not to be: the server is in trouble, or wants other credentials."""
        pause = 0.0
        if self._health.locked_since(self._auth(watched.task_id)) is not None:
            pause = max(_LOCKED_S, self._schedule.interval)
        self._schedule.look(watched, self._now() + pause)

    def _glanced(self, watched: Watched, words: Mapping[str, str] | None) -> None:
        if words is None or self._schedule.get(watched.task_id) is not watched:
            return
        word = thread_status(words.get(watched.task_id))
        verdict = self._schedule.glanced(watched, word, self._now())
        if verdict is not Next.READ and not watched.live_runs:
            self._service.seen.thread(self._name, watched.task_id, word)
        if verdict is Next.DONE:
            self._schedule.drop(watched.task_id)

    async def _look_closely(self, watched: Watched) -> None:
        """Look at one task of a server that cannot show many at once."""
        self._schedule.looked(watched, self._now())
        if watched.read_at == NEVER and not watched.reading:
            watched.step = max(watched.step, 1_000)  # no quick reads after it, unless wanted
            await self._read(watched, again=False)

    async def _read(self, watched: Watched, *, again: bool = True) -> None:
        """`again`: a read that fails is made up for before its time."""
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
                self._health.locked_out(self._auth(watched.task_id))
                self._look_again(watched)
        finally:
            watched.reading = False
            if verdict is Next.DONE:
                self._schedule.drop(watched.task_id)
            elif self._schedule.get(watched.task_id) is watched:
                self._schedule.was_read(watched, self._now(), failed=failed and again)

    async def _on_record(self, watched: Watched) -> bool:
        """Whether the books know the task, and do not know it to be over: others poll what is
        none of ours, and what they see may be old."""
        if watched.known:
            return True
        try:
            record = await self._books.record(watched.task_id)
        except StoreError:
            return True  # in doubt it is looked at
        if record is None or record.task.upstream != self._name:
            self._schedule.drop(watched.task_id)
            return False
        half_seen = record.task.half_seen or not all(run.ended for run in record.runs)
        watched.known = record.task.live or half_seen
        if not watched.known:
            self._schedule.drop(watched.task_id)
        return watched.known

    async def aclose(self) -> None:
        """Drop what is being asked."""
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
