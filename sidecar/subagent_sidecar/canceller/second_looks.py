"""One more look at every run whose cancel came true.

`langgraph dev` writes its state to disk every ten seconds. Killed in between, it forgets that a run
was cancelled, and begins it anew when it is back. So each run is looked at once more, a little
later; a server that is away then is asked when it is back. It costs one request for each cancel.

What was to be looked at is not on record: a sidecar that stops meanwhile does not look again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from ..core.cancel import pause_after_failures
from ..core.lifecycle import has_ended, run_status
from ..core.model import EndedBy
from ..errors import UpstreamError, UpstreamRefused
from ..ports import AgentServer, Clock, Headers
from ..tasks import spawn

_log = logging.getLogger(__name__)

_AFTER_S = 15.0
_GAP_S = 0.02
_LIMIT = 10_000
"""Runs of one server that are to be looked at; what comes when there are so many is left out."""
_WORTH_S = 3_600.0
"""After so long nobody comes back as they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run whose cancel has come true. `auth` is what to present, `due_at` is monotonic."""

    upstream: str
    thread_id: str
    run_id: str
    by: EndedBy
    auth: Headers
    due_at: float = 0.0


class SecondLooks:
    """`again` is told of each run that is at work once more."""

    def __init__(
        self,
        *,
        servers: Mapping[str, AgentServer],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        again: Callable[[Ended], None],
    ) -> None:
        self._clock = clock
        self._again = again
        self._lanes = {
            name: _Lane(name, server, now=clock.monotonic, sleep=sleep, again=again)
            for name, server in servers.items()
        }

    def look_later(
        self, upstream: str, thread_id: str, run_id: str, *, by: EndedBy, auth: Headers
    ) -> None:
        ended = Ended(
            upstream=upstream,
            thread_id=thread_id,
            run_id=run_id,
            by=by,
            auth=auth,
            due_at=self._clock.monotonic() + _AFTER_S,
        )
        self._lanes[upstream].add(ended)

    async def aclose(self) -> None:
        walks = [lane.walk for lane in self._lanes.values() if lane.walk is not None]
        for walk in walks:
            walk.cancel()
        await asyncio.gather(*walks, return_exceptions=True)


class _Lane:
    """The runs of one server, in the order in which they are due. There is a walk only while there
    are any."""

    def __init__(
        self,
        name: str,
        server: AgentServer,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        again: Callable[[Ended], None],
    ) -> None:
        self._name = name
        self._server = server
        self._now = now
        self._sleep = sleep
        self._again = again
        self._due: deque[Ended] = deque()
        self.walk: asyncio.Task[None] | None = None

    def add(self, ended: Ended) -> None:
        if len(self._due) >= _LIMIT:
            _log.debug("too many cancels at once to look at run %s once more", ended.run_id)
            return
        self._due.append(ended)
        if self.walk is None:
            self.walk = spawn(self._walk(), name=f"second looks at {self._name}")

    async def _walk(self) -> None:
        failures = 0
        while self._due:
            ended = self._due[0]
            if (wait := ended.due_at - self._now()) > 0:
                await self._sleep(wait)
            try:
                runs_again = await self._runs(ended)
            except UpstreamError as error:
                failures += 1
                if self._now() < ended.due_at + _WORTH_S:
                    _log.debug("cannot look at run %s once more: %s", ended.run_id, error)
                    await self._sleep(pause_after_failures(failures, refused=False))
                    continue
                runs_again = False
            failures = 0
            self._due.popleft()
            if runs_again:
                self._again(ended)
            await self._sleep(_GAP_S)
        self.walk = None

    async def _runs(self, ended: Ended) -> bool:
        """Whether the run is at work. Raises UpstreamError while its server does not answer."""
        try:
            run = await self._server.run(ended.thread_id, ended.run_id, auth=ended.auth)
        except UpstreamRefused as error:
            if 400 <= error.answered < 500:
                return False  # it is well, and will not tell us
            raise
        status = None if run is None else run_status(run.status)
        return status is not None and not has_ended(status)
