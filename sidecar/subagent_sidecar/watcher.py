"""Follows a run whose end is near, so that its record tells it without anybody asking.

After a cancel, after an update, and after a stream or a wait is over, a run's status has just
changed or is about to; supervisors do not always ask again. A few spaced reads see it through.
(Following every live task to its end is the next step; until then a task nobody asks after keeps
the last status seen, and `last_checked_at` says when that was.)
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .core.lifecycle import has_ended, run_status
from .core.model import EndedBy, RunStatus
from .errors import UpstreamError
from .ports import AgentServer, Headers
from .service import Service
from .tasks import spawn

_log = logging.getLogger(__name__)

_DELAYS_S = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_AT_ONCE_LIMIT = 2_000
_LONG_LIMIT = 1_000
"""Of these, how many may be followed to an end that is far away."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """A run that is followed. After a `cancelled` one, gone means rolled back."""

    upstream: str
    thread_id: str
    run_id: str
    auth: Headers
    cancelled: bool
    patiently: bool


class Watcher:
    """ports.Follower; `aclose` drops what is still followed."""

    def __init__(
        self,
        *,
        service: Service,
        servers: Mapping[str, AgentServer],
        delays_s: Sequence[float] = _DELAYS_S,
    ) -> None:
        self._service = service
        self._servers = servers
        self._delays_s = delays_s
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._subjects: dict[str, _Subject] = {}
        self._long: set[str] = set()

    @property
    def following(self) -> int:
        """How many runs are followed now."""
        return len(self._followed)

    def follow(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        auth: Headers,
        cancelled: bool = False,
        patiently: bool = False,
    ) -> None:
        """See ports.Follower."""
        if (earlier := self._subjects.get(run_id)) is not None:
            cancelled, patiently = cancelled or earlier.cancelled, patiently or earlier.patiently
        subject = _Subject(upstream, thread_id, run_id, auth, cancelled, patiently)
        if self._start(run_id, self._follow(subject), long=patiently):
            self._subjects[run_id] = subject

    def follow_stateless(
        self, upstream: str, thread_id: str, run_id: str, *, auth: Headers
    ) -> None:
        """See ports.Follower."""
        self._start(run_id, self._join(upstream, thread_id, run_id, auth), long=True)

    def _start(self, run_id: str, coro: Coroutine[Any, Any, None], *, long: bool) -> bool:
        """Follow instead of whatever followed the run before; False where that is too many."""
        earlier = self._followed.pop(run_id, None)
        if earlier is not None:
            earlier.cancel()
        elif len(self._followed) >= _AT_ONCE_LIMIT or (long and len(self._long) >= _LONG_LIMIT):
            coro.close()
            return False
        if long:
            self._long.add(run_id)
        task = self._followed[run_id] = spawn(coro, name=f"follow {run_id}")
        task.add_done_callback(lambda done: self._done(run_id, done))
        return True

    def _done(self, run_id: str, task: asyncio.Task[None]) -> None:
        if self._followed.get(run_id) is task:
            del self._followed[run_id]
            self._subjects.pop(run_id, None)
            self._long.discard(run_id)

    async def _follow(self, subject: _Subject) -> None:
        for delay in self._delays(subject.patiently):
            await asyncio.sleep(delay)
            try:
                if await self._look(subject):
                    return
            except UpstreamError as error:
                _log.debug("cannot read run %s: %s", subject.run_id, error)

    def _delays(self, patiently: bool) -> Iterator[float]:
        yield from self._delays_s
        while patiently:
            yield self._delays_s[-1]

    async def _look(self, subject: _Subject) -> bool:
        """Read the run once. Whether there is nothing more to see."""
        server, thread_id, run_id = (
            self._servers[subject.upstream],
            subject.thread_id,
            subject.run_id,
        )
        run = await server.run(thread_id, run_id, auth=subject.auth)
        if run is None:
            if subject.cancelled:
                self._service.run_gone(
                    subject.upstream,
                    thread_id,
                    run_id,
                    by=EndedBy.SUPERVISOR,
                    reason="the run was rolled back",
                )
            return True
        status = self._service.run_seen(
            subject.upstream, thread_id, run_id, run.status, created_at=run.created_at
        )
        if status is None or not has_ended(status):
            return False
        if status is RunStatus.SUCCESS:
            word = await server.thread_status(thread_id, auth=subject.auth)
            self._service.thread_seen(subject.upstream, thread_id, word)
            return word != "busy" or subject.patiently
        return True

    async def _join(self, upstream: str, thread_id: str, run_id: str, auth: Headers) -> None:
        try:
            word = await self._servers[upstream].outcome(thread_id, run_id, auth=auth)
        except UpstreamError as error:
            _log.debug("cannot wait for stateless run %s: %s", run_id, error)
            return
        if run_status(word) is not None:
            self._service.run_seen(upstream, thread_id, run_id, word)

    async def aclose(self) -> None:
        """Stop following."""
        tasks = list(self._followed.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
