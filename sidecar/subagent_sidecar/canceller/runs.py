"""Pursues runs that are to end: look, ask `core.cancel` what comes next, do it, and again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from ..core import cancel
from ..core.cancel import Ask, Outcome, Rollback, Try
from ..core.model import EndedBy, Run
from ..credentials import Credentials
from ..errors import StoreError, UpstreamError, UpstreamRefused
from ..ports import AgentServer, Clock, Headers, Store
from ..service import Service
from ..tasks import spawn
from .endings import Endings
from .habits import Habits
from .pursuit import Key, Pursuit
from .second_looks import Ended, SecondLooks
from .sighting import look

_log = logging.getLogger(__name__)

_AT_ONCE_LIMIT = 5_000
_REQUESTS_LIMIT = 32
_SOON_S = 0.05
_PATIENT_FAILURES = 3
"""Failures in a row after which whoever waits is told; it is tried on."""

_RESUME_PAUSE_S = 5.0


class RunCanceller:
    """ports.Canceller. `resume` takes up what an earlier process left open; `aclose` stops: what
    is not over by then is on record and taken up by the next. `verify_for` and `rollback` are None
    where the policy has the word. `sleep` waits between turns, `rest` before second looks."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
        verify_for: timedelta | None = None,
        rollback: Rollback | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
        at_once: int = _AT_ONCE_LIMIT,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._servers = servers
        self._credentials = credentials
        self._habits = Habits(
            service=service, store=store, verify_for=verify_for, rollback=rollback
        )
        self._second_looks = SecondLooks(
            servers=servers, clock=clock, sleep=rest, again=self._runs_again
        )
        self._endings = Endings(service, self._second_looks)
        self._sleep = sleep
        self._at_once = at_once
        self._pursuits: dict[Key, Pursuit] = {}
        self._tasks: dict[Pursuit, asyncio.Task[None]] = {}
        self._requests = asyncio.Semaphore(_REQUESTS_LIMIT)
        self._left_out = False
        self._taken_up: asyncio.Task[None] | None = None

    @property
    def pursuing(self) -> int:
        """How many runs are being seen to their end now."""
        return len(self._pursuits)

    def verify(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        auth: Headers,
        how: Try = Try.INTERRUPT,
    ) -> None:
        """See ports.Canceller."""
        pursuit = Pursuit(
            upstream=upstream,
            thread_id=thread_id,
            run_id=run_id,
            by=EndedBy.SUPERVISOR,
            first=how,
            auth=auth,
        )
        pursuit.asked(how, accepted=True, now=self._clock.monotonic())
        self._pursue(pursuit)

    def end(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        by: EndedBy,
        after: Pursuit | None = None,
    ) -> Pursuit:
        """Cancel a run, once `after` has been asked; that it is wanted must be on record. What is
        returned may be another's pursuit of the same run."""
        pursuit = Pursuit(
            upstream=upstream,
            thread_id=thread_id,
            run_id=run_id,
            by=by,
            after=after,
        )
        return self._pursue(pursuit)

    async def resume(self) -> None:
        """Take up every cancel on record that nobody is known to have seen to its end."""
        while (found := await self._open()) is None:
            await self._sleep(_RESUME_PAUSE_S)
        for upstream, run in found:
            if (upstream, run.task_id, run.run_id) not in self._pursuits:
                by = run.cancel_asked_by or EndedBy.SUPERVISOR
                self.end(upstream, run.task_id, run.run_id, by=by)

    async def _open(self) -> Sequence[tuple[str, Run]] | None:
        await self._service.entered()
        try:
            # Those pursued already, as many again, and one more to know that there are more.
            return await self._store.open_cancels(limit=2 * self._at_once + 1)
        except StoreError as error:
            _log.warning(
                "cannot look for open cancels: %s", error, extra={"action": "store_read_failed"}
            )
            return None

    async def aclose(self) -> None:
        self._left_out = False
        tasks = [*self._tasks.values(), *filter(None, [self._taken_up])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._second_looks.aclose()

    def _pursue(self, pursuit: Pursuit) -> Pursuit:
        """Start, instead of an earlier pursuit of the same run or on its behalf."""
        earlier = self._pursuits.get(pursuit.key)
        if earlier is not None:
            if _is_as_good(earlier, pursuit):
                return earlier
            self._tasks[earlier].cancel()
        elif pursuit.upstream not in self._servers:
            pursuit.settle(
                Outcome.UNREACHABLE, f"upstream '{pursuit.upstream}' is not configured any more"
            )
            return pursuit
        elif len(self._pursuits) >= self._at_once:
            self._left_out = True  # it is on record, and taken up when there is room
            pursuit.let_go()
            return pursuit
        self._pursuits[pursuit.key] = pursuit
        task = spawn(self._run(pursuit), name=f"cancel {pursuit.run_id}")
        self._tasks[pursuit] = task
        task.add_done_callback(lambda _: self._done(pursuit))
        return pursuit

    def _done(self, pursuit: Pursuit) -> None:
        del self._tasks[pursuit]
        pursuit.let_go()
        if self._pursuits.get(pursuit.key) is pursuit:
            del self._pursuits[pursuit.key]
        if self._left_out and len(self._pursuits) <= self._at_once // 2:
            self._left_out = False
            self._taken_up = spawn(self.resume(), name="resume cancels")

    async def _run(self, pursuit: Pursuit) -> None:
        habit = await self._habits.of(pursuit.thread_id)
        pursuit.plan = cancel.ladder(pursuit.by, habit.rollback, first=pursuit.first)
        pursuit.verify_for_s = habit.verify_for_s
        if pursuit.after is not None:
            await pursuit.after.begun.wait()
            pursuit.after = None
        elif pursuit.tried:
            await self._sleep(_SOON_S)
        while (pause := await self._turn(pursuit)) is not None:
            await self._sleep(pause)

    async def _turn(self, pursuit: Pursuit) -> float | None:
        """Look, and do what comes next. Seconds until the next turn, None when it is over."""
        try:
            async with self._requests:
                sight = await look(
                    self._servers[pursuit.upstream],
                    self._service,
                    pursuit,
                    auth=self._auth(pursuit),
                )
                now = self._clock.monotonic()
                step = cancel.next_step(pursuit.case(sight, now=now))
                if isinstance(step, Ask):
                    await self._ask(pursuit, step.how)
        except UpstreamError as error:
            return self._in_trouble(pursuit, error)
        pursuit.failures = 0
        return self._endings.conclude(pursuit, sight, step, auth=self._auth(pursuit))

    def _auth(self, pursuit: Pursuit) -> Headers:
        return pursuit.auth or self._credentials.of(pursuit.thread_id)

    async def _ask(self, pursuit: Pursuit, how: Try) -> None:
        try:
            accepted = await self._servers[pursuit.upstream].cancel(
                pursuit.thread_id,
                pursuit.run_id,
                rollback=how is Try.ROLLBACK,
                auth=self._auth(pursuit),
            )
        except UpstreamRefused as error:
            if not cancel.is_a_no(error.answered):
                raise
            accepted = False
        pursuit.asked(how, accepted=accepted, now=self._clock.monotonic())

    def _in_trouble(self, pursuit: Pursuit, error: UpstreamError) -> float:
        pursuit.failures += 1
        # One that answers 5xx, or a page, is down, or what stands in front of it says so.
        refused = isinstance(error, UpstreamRefused) and 400 <= error.answered < 500
        if pursuit.failures == _PATIENT_FAILURES:
            outcome = Outcome.REFUSED if refused else Outcome.UNREACHABLE
            pursuit.settle(outcome, f"{error.message}; it is tried again")
            _log.info("cannot cancel run %s yet: %s", pursuit.run_id, error.message)
        return cancel.pause_after_failures(pursuit.failures, refused=refused)

    def _runs_again(self, ended: Ended) -> None:
        """Its server has forgotten the cancel."""
        thread_id, run_id = ended.thread_id, ended.run_id
        _log.warning(
            "a run is at work again after its cancel had come true: its server went back to before "
            "(task %s, run %s); it is asked again",
            thread_id,
            run_id,
            extra={"action": "cancel_undone", "task_id": thread_id},
        )
        self._service.cancels.undone(thread_id, run_id)
        self.end(ended.upstream, thread_id, run_id, by=ended.by)


def _is_as_good(earlier: Pursuit, new: Pursuit) -> bool:
    """Whether `earlier` goes on for `new` as well: it does at least as much, and not only later."""
    if new.by is EndedBy.SUPERVISOR:
        return earlier.by is not EndedBy.SUPERVISOR
    return earlier.by is not EndedBy.SUPERVISOR and not earlier.rounds and not earlier.failures
