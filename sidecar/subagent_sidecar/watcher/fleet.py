"""All upstreams' watches, behind the ports: ports.Follower, ports.Observer, ports.Reachability."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence

from ..core.changes import NewRun
from ..core.lifecycle import run_status
from ..core.model import RunStatus, ThreadStatus, Timestamp
from ..core.watch import Tempo
from ..credentials import Credentials
from ..errors import UpstreamError
from ..ports import AgentServer, Clock, Headers, Store
from ..service import Service
from ..tasks import spawn
from .upstream import UpstreamWatch

_log = logging.getLogger(__name__)

_JOINED_LIMIT = 1_000
_CONFIRM_S = 5.0


class Watcher:
    """`start` it once; `aclose` drops what is still watched."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
        tempo: Tempo | None = None,
        jitter: Callable[[], float] = random.random,
        confirm_s: float = _CONFIRM_S,
    ) -> None:
        self._service = service
        self._servers = servers
        self._credentials = credentials
        self._since = service.now()
        self._watches = {
            name: UpstreamWatch(
                name,
                server,
                service=service,
                store=store,
                clock=clock,
                credentials=credentials,
                tempo=tempo or Tempo(),
                jitter=jitter,
                confirm_s=confirm_s,
            )
            for name, server in servers.items()
        }
        self._loops: list[asyncio.Task[None]] = []
        self._joined: dict[str, asyncio.Task[None]] = {}
        service.observe(self, began=self.runs_began)

    def start(self) -> None:
        """Pick up the tasks that are live on record, and watch them."""
        self._loops = [
            spawn(watch.run(), name=f"watcher of {name}") for name, watch in self._watches.items()
        ]

    @property
    def watching(self) -> int:
        """How many tasks are watched now, those of stateless runs included."""
        return sum(map(len, self._watches.values())) + len(self._joined)

    def of(self, upstream: str) -> UpstreamWatch:
        """The watch of one upstream."""
        return self._watches[upstream]

    def unknown_since(self, upstream: str, task_id: str) -> Timestamp | None:
        """See ports.Reachability."""
        watch = self._watches.get(upstream)
        return self._since if watch is None else watch.unknown_since(task_id)

    def spare(self, upstream: str) -> bool:
        """Take one of the requests that the upstream may be asked to bear, if it is not needed
        here: for questions that can wait."""
        watch = self._watches.get(upstream)
        return watch is None or watch.spare()

    def follow(self, upstream: str, thread_id: str, run_id: str, *, auth: Headers) -> None:
        """See ports.Follower."""
        if (watch := self._watches.get(upstream)) is not None:
            self._credentials.keep(thread_id, auth)
            watch.follow(thread_id, run_id)

    def keep(self, thread_id: str, *, auth: Headers) -> None:
        """See ports.Follower."""
        self._credentials.keep(thread_id, auth)

    def follow_stateless(
        self, upstream: str, thread_id: str, run_id: str, *, auth: Headers
    ) -> None:
        """See ports.Follower. Of more than a thousand at once the rest are watched like others,
        which tells that they ended, and not how."""
        if upstream not in self._servers or len(self._joined) >= _JOINED_LIMIT:
            return
        self._watches[upstream].leave(thread_id)
        if run_id not in self._joined:
            joining = self._join(upstream, thread_id, run_id, auth)
            task = self._joined[run_id] = spawn(joining, name=f"join {run_id}")
            task.add_done_callback(lambda _: self._joined.pop(run_id, None))

    async def _join(self, upstream: str, thread_id: str, run_id: str, auth: Headers) -> None:
        try:
            word = await self._servers[upstream].outcome(thread_id, run_id, auth=auth)
        except UpstreamError as error:
            _log.debug("cannot wait for stateless run %s: %s", run_id, error)
            return
        if run_status(word) is not None:
            self._service.seen.run(upstream, thread_id, run_id, word)

    def runs_began(self, upstream: str, runs: Sequence[NewRun]) -> None:
        """See ports.Began. As for `run_moved`."""
        watch = self._watches.get(upstream)
        if watch is not None:
            for run in runs:
                if run.thread_id != run.run_id and run.run_id not in self._joined:
                    watch.run_began(run)

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer. The task of a stateless run whose thread has no name goes by the
        run's own id: there is no thread to ask about."""
        watch = self._watches.get(upstream)
        if watch is not None and thread_id != run_id and run_id not in self._joined:
            watch.run_moved(thread_id, run_id, status)

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None:
        """See ports.Observer."""
        if (watch := self._watches.get(upstream)) is not None:
            watch.thread_moved(thread_id, status)

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        """See ports.Observer."""
        if (watch := self._watches.get(upstream)) is not None:
            watch.leave(thread_id)

    async def aclose(self) -> None:
        """Stop watching."""
        tasks = [*self._loops, *self._joined.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(watch.aclose() for watch in self._watches.values()))
