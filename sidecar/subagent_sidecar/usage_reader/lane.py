"""What there is to read on one server."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from sys import intern

from ..core.agenda import Agenda
from ..core.model import TaskQuery, Timestamp, timestamp
from ..core.usage import run_at_work
from ..credentials import Credentials
from ..errors import SidecarError, StoreError, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from ..ports import AgentServer, Clock, Store
from ..service import Service
from .news import Cost, news, unread

_log = logging.getLogger(__name__)

_WHATEVER_HAPPENS_S = 0.5
_PAGE = 500
_MISSED = timedelta(hours=1)
_MISSED_LIMIT = 500


class Lane:
    """What there is to read on one server."""

    def __init__(
        self,
        name: str,
        server: AgentServer,
        agenda: Agenda,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        credentials: Credentials,
        cost: Cost,
        spare: Callable[[], bool],
        rate: float,
        limit: int,
    ) -> None:
        self.agenda = agenda
        self._name = name
        self._server = server
        self._service = service
        self._store = store
        self._clock = clock
        self._credentials = credentials
        self._cost = cost
        self._spare = spare
        self._gap_s = 1.0 / rate
        self._limit = limit
        self._not_before = 0.0
        self._asked_at = float("-inf")
        self._wake = asyncio.Event()

    def working(self, thread_id: str) -> None:
        if self.agenda.working(thread_id, self._clock.monotonic()):
            self._wake.set()

    def ended(self, thread_id: str) -> None:
        if not self.agenda.ended(thread_id, self._clock.monotonic()):
            _log.debug("too many ends at once on %s to read what %s used", self._name, thread_id)
        self._wake.set()

    async def run(self) -> None:
        """Look for ever."""
        await self.catch_up()
        while True:
            self._wake.clear()
            wait = await self.turn()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def catch_up(self) -> None:
        try:
            await self._catch_up_with_the_living()
            since = timestamp(self._clock.now() - _MISSED)
            query = TaskQuery(upstream=self._name, ended_after=since, limit=_MISSED_LIMIT)
            for record in (await self._store.tasks(query)).records:
                if unread(record):
                    self.ended(record.task.task_id)
        except StoreError as error:
            _log.warning("cannot look for usage that was not read: %s", error)

    async def _catch_up_with_the_living(self) -> None:
        """Page by page: whole records of ten thousand tasks would leave 15 MB of holes."""
        after: tuple[Timestamp, str] | None = None
        for _ in range(self._limit // _PAGE):
            chains = await self._store.live_chains(self._name, after=after, limit=_PAGE)
            for chain in chains:
                self.working(intern(chain.task_id))  # the watcher has it too
            if len(chains) < _PAGE:
                return
            after = chains[-1].created_at, chains[-1].task_id

    async def turn(self) -> float | None:
        asked = self._clock.monotonic()
        if asked < self._not_before:
            return self._not_before - asked
        thread_id = self.agenda.next(asked)
        if thread_id is None:
            return self.agenda.wait(asked)
        if not self._spare() and asked < self._asked_at + _WHATEVER_HAPPENS_S:
            return self._gap_s
        self._asked_at, self._not_before = asked, asked + self._gap_s
        try:
            worth_more = await self._read(thread_id)
        except (UpstreamError, StoreError) as error:
            self._failed(thread_id, asked, error)
        else:
            if worth_more:
                self.agenda.read(thread_id, asked, self._clock.monotonic())
            else:
                self.agenda.forget(thread_id)
        return self.agenda.wait(self._clock.monotonic())

    def _failed(self, thread_id: str, asked: float, error: SidecarError) -> None:
        now = self._clock.monotonic()
        if _concerns_all(error):
            if self.agenda.unreachable(thread_id, asked, now):
                _log.info("usage on %s cannot be read: %s; tried again later", self._name, error)
        elif not self.agenda.refused(thread_id, asked, now):
            _log.warning(
                "what the last run of task %s used stays unknown: %s",
                thread_id,
                error,
                extra={"action": "usage_unread"},
            )

    async def _read(self, thread_id: str) -> bool:
        """Read a thread and enter what is new. False where there is nothing to come back for."""
        await self._service.entered()
        record = await self._store.task(thread_id)
        run_id = None if record is None else run_at_work(record.runs)
        if record is None or run_id is None or record.task.upstream != self._name:
            return False
        auth = self._credentials.of(thread_id)
        state = await self._server.state(thread_id, auth=auth)
        if state is None:
            return False
        first = record.runs[0].run_id == run_id
        self._service.signs.looked(
            thread_id, state.glimpse, first_run=first, now=self._clock.monotonic()
        )
        entries = await asyncio.to_thread(
            news, state.messages, record, run_id, moment=self._clock.now(), cost=self._cost
        )
        over = [run.run_id for run in record.runs if run.ended and not run.settled]
        self._service.usage.seen(thread_id, run_id, entries, settled=over)
        return True


def _concerns_all(error: SidecarError) -> bool:
    """Whether no other thread could have been read either."""
    if isinstance(error, UpstreamTimeout):
        return error.phase == "connect"
    return isinstance(error, UpstreamUnreachable | StoreError)
