"""Reads what tasks used from the messages of their threads, and enters it with its price.

After the end of every run, and every so often while one is going on, since a long run should not
cost unseen. At most `rate` requests a second go to one server, one at a time, and fewer when those
who ask what becomes of tasks have more to ask; then each task is read less often. A server that
does not answer is left alone for longer and longer, and what is still to be read waits.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import uniform
from typing import Any

from .core.agenda import Agenda
from .core.lifecycle import has_ended
from .core.model import (
    RunStatus,
    TaskQuery,
    TaskRecord,
    ThreadStatus,
    Timestamp,
    UsageEntry,
    timestamp,
)
from .core.usage import Reading, readings, run_at_work
from .credentials import Credentials
from .errors import (
    SidecarError,
    StoreError,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from .ports import AgentServer, Clock, Store
from .service import Service
from .tasks import spawn

_log = logging.getLogger(__name__)

Cost = Callable[[Reading, datetime], int | None]
"""Micro-USD, or None where no price is known. Called in a worker thread."""

_RATE = 10.0
_WHATEVER_HAPPENS_S = 0.5
_SETTLE_S = 0.25
_LIMIT = 20_000
_PAGE = 500
_TRIES = 10
_MISSED = timedelta(hours=1)
_MISSED_LIMIT = 500


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
            name: _Lane(
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

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer."""
        if (lane := self._lanes.get(upstream)) is not None:
            lane.note(thread_id, ended=has_ended(status))

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


class _Lane:
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
        self._not_before = 0.0
        self._asked_at = float("-inf")
        self._wake = asyncio.Event()

    def note(self, thread_id: str, *, ended: bool) -> None:
        now = self._clock.monotonic()
        if not ended:
            if self.agenda.working(thread_id, now):
                self._wake.set()
            return
        if not self.agenda.ended(thread_id, now):
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
                if _unread(record):
                    self.note(record.task.task_id, ended=True)
        except StoreError as error:
            _log.warning("cannot look for usage that was not read: %s", error)

    async def _catch_up_with_the_living(self) -> None:
        """Page by page: whole records of ten thousand tasks would leave 15 MB of holes."""
        after: tuple[Timestamp, str] | None = None
        for _ in range(_LIMIT // _PAGE):
            chains = await self._store.live_chains(self._name, after=after, limit=_PAGE)
            for chain in chains:
                self.note(chain.task_id, ended=False)
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
        entries = await asyncio.to_thread(self._news, state.messages, record, run_id)
        over = [run.run_id for run in record.runs if run.ended and not run.settled]
        self._service.usage.seen(thread_id, run_id, entries, settled=over)
        return True

    def _news(self, messages: Sequence[Any], record: TaskRecord, run_id: str) -> list[UsageEntry]:
        """The messages that are not on record as they are now, priced."""
        moment = self._clock.now()
        known = {entry.message_id: entry for entry in record.usage}
        found = []
        for reading in readings(messages):
            earlier = known.get(reading.message_id)
            if earlier is None or not _same(earlier, reading):
                entry = UsageEntry(
                    task_id=record.task.task_id,
                    message_id=reading.message_id,
                    run_id=run_id,
                    at=timestamp(moment),
                    model=reading.model,
                    input_tokens=reading.input_tokens,
                    output_tokens=reading.output_tokens,
                    cache_read_tokens=reading.cache_read_tokens,
                    cache_write_tokens=reading.cache_write_tokens,
                    cost_micro_usd=self._cost(reading, moment),
                )
                found.append(entry)
        return found


def _concerns_all(error: SidecarError) -> bool:
    """Whether no other thread could have been read either."""
    if isinstance(error, UpstreamTimeout):
        return error.phase == "connect"
    return isinstance(error, UpstreamUnreachable | StoreError)


def _same(entry: UsageEntry, reading: Reading) -> bool:
    """Whether the record says what the message says, and what it cost."""
    return entry.cost_micro_usd is not None and (
        entry.model,
        entry.input_tokens,
        entry.output_tokens,
        entry.cache_read_tokens,
        entry.cache_write_tokens,
    ) == (
        reading.model,
        reading.input_tokens,
        reading.output_tokens,
        reading.cache_read_tokens,
        reading.cache_write_tokens,
    )


def _unread(record: TaskRecord) -> bool:
    """Whether it is not known for good what the runs of an ended task used."""
    return not record.task.live and any(run.ended and not run.settled for run in record.runs)
