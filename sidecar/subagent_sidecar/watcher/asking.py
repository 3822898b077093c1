"""Questions to one server: at its pace, with the right credentials, noting how it fares."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..core.pace import Pace
from ..core.watch import Tempo
from ..credentials import Credentials
from ..errors import UpstreamError, UpstreamRefused
from ..ports import AgentServer, Clock, Headers
from .health import Health, is_about_the_question

T = TypeVar("T")

Question = Callable[[AgentServer, Headers], Awaitable[T]]


class Asker:
    """Every question of the watcher to one server goes through here."""

    def __init__(
        self,
        server: AgentServer,
        *,
        credentials: Credentials,
        clock: Clock,
        health: Health,
        tempo: Tempo,
    ) -> None:
        self._server = server
        self._credentials = credentials
        self._clock = clock
        self._health = health
        self.pace = Pace(tempo.requests_per_s, burst=tempo.burst)

    async def ask(self, task_id: str, question: Question[T], *, telling: bool = True) -> T:
        """The server's answer, to whoever asked about the task last. Raises UpstreamError.

        An error of the server's own says that it is in trouble if the question is a `telling`
        one; it may be just this run that it cannot show.
        """
        if wait := self.pace.take(self._clock.monotonic()):
            await asyncio.sleep(wait)
        asked_at = self._clock.monotonic()
        try:
            answer = await question(self._server, self._credentials.of(task_id))
        except UpstreamError as error:
            if is_about_the_question(error):
                self._health.answered(self._clock.monotonic(), proof=False)
            elif telling or not isinstance(error, UpstreamRefused):
                self._health.failed(asked_at, self._clock.monotonic(), error)
            raise
        self._health.answered(self._clock.monotonic(), proof=answer is not None)
        return answer
