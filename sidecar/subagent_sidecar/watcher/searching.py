"""The question about many tasks at once, and what to make of a server that will not answer it."""

import logging
from collections.abc import Callable, Mapping, Sequence

from ..core.watch import Schedule
from ..core.watched import NEVER, Watched
from ..credentials import Credentials
from ..errors import UpstreamError, UpstreamRefused
from .asking import Asker
from .health import Health, is_about_the_question, is_locked

_log = logging.getLogger(__name__)

_AGAIN_S = 300.0


class Searcher:
    """Searches threads by their ids. Where a server cannot, `schedule` is told to do without it
    for a while; `now` reads monotonic seconds."""

    def __init__(
        self,
        upstream: str,
        asker: Asker,
        *,
        schedule: Schedule,
        credentials: Credentials,
        health: Health,
        now: Callable[[], float],
    ) -> None:
        self._upstream = upstream
        self._asker = asker
        self._schedule = schedule
        self._credentials = credentials
        self._health = health
        self._now = now
        self._again_at = self._broke_at = NEVER

    def resume(self, now: float) -> None:
        """Search again if it is time to: after a while, and after an outage that broke it."""
        if now >= self._again_at or self._health.back_at > self._broke_at:
            self._again_at = self._broke_at = NEVER
            self._schedule.batched = True

    async def words(self, batch: Sequence[Watched]) -> Mapping[str, str] | None:
        """The threads' status words, of tasks with the same credentials; None where the server
        does not say."""
        ids = [each.task_id for each in batch]
        auth = self._credentials.of(ids[0])
        try:
            words = await self._asker.ask(
                ids[0], lambda server, auth: server.threads(ids, auth=auth), telling=False
            )
        except UpstreamError as error:
            if is_locked(error) and not await self._shows(ids[0]):
                self._health.locked_out(auth)
                return None
            _log.debug("cannot look at %d threads of %s: %s", len(ids), self._upstream, error)
            if not isinstance(error, UpstreamRefused):
                return None
            if not is_about_the_question(error):
                self._broke_at = self._now()  # reads will tell whether all of it is
            words = None
        if words is None:
            self._schedule.batched = False
            self._again_at = self._now() + _AGAIN_S
            return None
        self._health.let_in(auth)
        return words

    async def _shows(self, task_id: str) -> bool:
        """Whether a server that forbids the search shows a thread to the same credentials."""
        try:
            await self._asker.ask(
                task_id,
                lambda server, auth: server.thread_status(task_id, auth=auth),
                telling=False,
            )
        except UpstreamError:
            return False
        return True
