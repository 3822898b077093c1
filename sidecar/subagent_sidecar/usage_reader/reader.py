"""Who reads usage: one lane for each server."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import uniform

from ..core.agenda import Agenda
from ..core.changes import NewRun
from ..core.lifecycle import has_ended
from ..core.model import RunStatus, ThreadStatus
from ..credentials import Credentials
from ..ports import AgentServer, Clock, Store
from ..service import Service
from ..tasks import spawn
from .lane import Lane
from .news import Cost

_RATE = 10.0
_SETTLE_S = 0.25
_LIMIT = 20_000
_TRIES = 10


def _jitter() -> float:
    return uniform(0.8, 1.2)


class UsageReader:
    """ports.Observer. Nothing is read before `start`; `aclose` drops what is still to be read.

    `spare` takes one of the requests that a server may be asked to bear, if there is one left.
    Every look at a thread is told to `Service.signs`: it also shows whether a run moves.
    """

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
        cost: Cost,
        interval_s: float,
        spare: Callable[[str], bool] = lambda _: True,
        rate: float = _RATE,
        settle_s: float = _SETTLE_S,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._lanes = {
            name: Lane(
                name,
                server,
                Agenda(
                    interval_s=interval_s,
                    settle_s=settle_s,
                    jitter=jitter,
                    limit=_LIMIT,
                    tries=_TRIES,
                ),
                service=service,
                store=store,
                clock=clock,
                credentials=credentials,
                cost=cost,
                spare=partial(spare, name),
                rate=rate,
                limit=_LIMIT,
            )
            for name, server in servers.items()
        }
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Catch up with what an earlier process left unread, then follow what moves."""
        self._loops = [
            spawn(lane.run(), name=f"usage {name}") for name, lane in self._lanes.items()
        ]

    async def aclose(self) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    def runs_began(self, upstream: str, runs: Sequence[NewRun]) -> None:
        """See ports.Began."""
        if (lane := self._lanes.get(upstream)) is not None:
            for run in runs:
                lane.working(run.thread_id)

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer."""
        if (lane := self._lanes.get(upstream)) is not None:
            if has_ended(status):
                lane.ended(thread_id)
            else:
                lane.working(thread_id)

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None:
        """See ports.Observer. A thread tells nothing that its runs do not."""

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        """See ports.Observer."""
        if (lane := self._lanes.get(upstream)) is not None:
            lane.agenda.forget(thread_id)

    async def turn(self, upstream: str) -> float | None:
        """One look at the agenda of one server, which reads at most one thread. Returns the
        seconds until the next look, None when there is nothing to look for."""
        return await self._lanes[upstream].turn()

    async def catch_up(self) -> None:
        """Take note of tasks that are at work, or ended lately with nothing read of their end."""
        for lane in self._lanes.values():
            await lane.catch_up()
