"""The loop that turns the record into spans.

Two readers go through the events. One tells at once what there is to tell at once. The other waits
at the end of each run until its usage is known, a few seconds at most, and tells the whole run.

How far each of them is stands in the store, and is moved there before a span is handed out, in a
transaction that fails where another sidecar on the same store was quicker. So no span is exported
twice, whatever is restarted when; what is lost, if the process dies between the two, is the one
batch under way. What an endpoint does not take is offered to it again and again, and everything
after that waits in the record: memory holds one batch, whatever is down for however long.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from ..core.feed import EventPage, EventQuery, ToldEvent
from ..core.metrics.marks import Told
from ..core.model import TaskRecord
from ..core.spans import AT_ONCE, ENDING, Span, Teller
from ..errors import StoreError
from ..ports import Clock, Store
from ..service import Service
from .batches import Batch, Numbers, Reader, UnderWay
from .exporting import Exporting

_log = logging.getLogger(__name__)

_PAGE = 200
"""Events in one batch. Few make more than one span."""
_TOGETHER = 25
"""Ends that are read together: one of them may have to wait, and all behind it."""
_LOOK_S = 1.0
"""How often to look without having been told: another sidecar may write to the store, too."""
_COMPANY_S = 0.2
_AGAIN_S, _LONGEST_S = 1.0, 30.0
_TRIES = 3
"""After so many attempts in vain it is asked whether it is the batch or the endpoint."""
_UNTOLD = 5_000
"""Events with nothing to tell that are looked through again, at most, by the next process."""
_CLOSING_S = 1.0
_ANSWER_S = 0.5


class Tracer:
    """`usage_within`: how long the end of a run waits for what it has used to be known."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        exporting: Exporting[Span],
        teller: Teller,
        usage_within: timedelta,
        closing_s: float = _CLOSING_S,
    ) -> None:
        self.numbers = Numbers()
        self._service = service
        self._store = store
        self._clock = clock
        self._exporting = exporting
        self._teller = teller
        self._usage_within = usage_within
        self._closing_s = closing_s
        self._wake = asyncio.Event()
        self._held: Batch | None = None
        self._under_way: UnderWay | None = None
        self._failing = 0
        self._given_up = -1
        """The newest event of those whose spans nobody took."""
        self._rejected = 0
        self._told_of_rejected = False
        self._at_once = Reader("traces", AT_ONCE)
        self._ends = Reader("trace_ends", ENDING)
        service.on_entered(self._wake.set)

    @property
    def told(self) -> Told:
        """The events of which it is known that an endpoint took what there is to tell of them."""
        upto = min(self._taken_upto(reader) for reader in (self._at_once, self._ends))
        return Told(self._given_up, upto)

    def _taken_upto(self, reader: Reader) -> int:
        held = self._held
        return held.after if held is not None and held.reader is reader else reader.looked

    async def begin(self) -> None:
        """To be called before there is anything to tell. Whoever comes first on a store begins with
        what comes next: of what happened before there were traces, the beginnings would be
        missing. Raises StoreError."""
        await self._store.begin_spans(self._at_once.name, self._ends.name)

    async def run(self) -> None:
        """For ever: tell what is new."""
        while True:
            self._wake.clear()
            try:
                told = await self.turn()
            except StoreError as error:
                _log.warning(
                    "traces wait: the record cannot be read: %s",
                    error,
                    extra={"action": "traces_unread"},
                )
                told = False
            if self._failing:
                await asyncio.sleep(min(_AGAIN_S * 2 ** (self._failing - 1), _LONGEST_S))
            elif not told:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._wake.wait()
                await asyncio.sleep(_COMPANY_S)

    async def turn(self, *, last: bool = False) -> bool:
        """Offer what is held, or else what comes next; whether there may be more. `last`: do not
        wait for usage any more."""
        if self._held is not None:
            return await self._offer(self._held)
        more = False
        for reader in (self._at_once, self._ends):
            more = await self._go_on(reader, last=last) or more
            if self._held is not None:
                return False
        return more

    async def _go_on(self, reader: Reader, *, last: bool) -> bool:
        await self._find_place(reader)
        query = EventQuery(after=reader.looked, limit=_PAGE, kinds=reader.kinds)
        page = await self._store.events_after(query)
        if reader is self._ends:
            upto, spans = await self._of_ends(page, last=last)
        else:
            upto, spans = page.upto, await self._of_events(page.events)
        if not spans and upto - reader.place < _UNTOLD:
            reader.looked = max(upto, reader.looked)
            return upto == page.upto and page.more
        if not await self._store.claim_spans(reader.name, reader.place, upto):
            return True  # another sidecar was quicker
        reader.place = reader.looked = upto
        if not spans:
            return page.more
        self._held = Batch(reader, query.after, upto, spans)
        taken = await self._offer(self._held)
        # What has come meanwhile waits for company: a batch has its price, however small it is.
        return taken and upto == page.upto and page.more

    async def _find_place(self, reader: Reader) -> None:
        place = await self._store.spans_claimed(reader.name)
        if place is None:
            await self.begin()
            place = await self._store.spans_claimed(reader.name)
        reader.found_at(place or 0)

    async def _of_events(self, events: Sequence[ToldEvent]) -> list[Span]:
        needed = {each for told in events for each in self._teller.needed(told.event)}
        records = await self._records(sorted(needed))
        return [span for told in events for span in self._teller.at_once(told, records)]

    async def _of_ends(self, page: EventPage, *, last: bool) -> tuple[int, list[Span]]:
        """What is told of ends, and up to which number: there may be one that has to wait."""
        spans: list[Span] = []
        ends = [told for told in page.events if self._teller.ends_run(told.event)]
        for first in range(0, len(ends), _TOGETHER):
            some = ends[first : first + _TOGETHER]
            records = await self._records(sorted({told.event.task_id or "" for told in some}))
            for told in some:
                record = records.get(told.event.task_id or "")
                if not last and not self._is_ripe(told, record):
                    return told.event.seq - 1, spans
                spans += self._teller.of_end(told, record)
        return page.upto, spans

    async def _records(self, task_ids: Sequence[str]) -> dict[str, TaskRecord]:
        found: dict[str, TaskRecord] = {}
        for first in range(0, len(task_ids), _PAGE):
            for record in await self._store.tasks_with(task_ids[first : first + _PAGE]):
                found[record.task.task_id] = record
        return found

    def _is_ripe(self, told: ToldEvent, record: TaskRecord | None) -> bool:
        runs = () if record is None else record.runs
        if all(run.settled for run in runs if run.run_id == told.event.run_id):
            return True
        age = self._clock.now() - datetime.fromisoformat(told.event.at)
        return not timedelta(0) <= age < self._usage_within

    async def _offer(self, batch: Batch) -> bool:
        """Whether it was taken, or is given up."""
        if await self._send(batch.spans):
            self._held = None
            self._count(batch)
            self._took_again()
            return True
        self.numbers.failed += 1
        self._did_not_take()
        if self._failing >= _TRIES and await self._send(()):
            # Whoever listens is well, and wants everything but this.
            self._held = None
            self._given_up = max(self._given_up, batch.upto)
            self.numbers.dropped += len(batch.spans)
            self._took_again()
            return True
        return False

    def _count(self, batch: Batch) -> None:
        """A batch was taken, but for what the endpoint says that it threw away."""
        rejected = min(self._exporting.rejected - self._rejected, len(batch.spans))
        self._rejected = self._exporting.rejected
        self.numbers.exported += len(batch.spans) - rejected
        self.numbers.dropped += rejected
        if rejected and not self._told_of_rejected:
            self._told_of_rejected = True
            _log.warning(
                "the OTLP endpoint takes batches and throws away some of their spans, %d of the "
                "last one; the metrics count them as dropped, and the endpoint's log says why",
                rejected,
                extra={"action": "traces_rejected"},
            )

    async def _send(self, spans: Sequence[Span]) -> bool:
        """Whether they were taken. Called off in the middle, it is as it was: nobody knows, and
        who asks again gets the answer to that."""
        while True:
            if self._under_way is None:
                self._under_way = UnderWay(spans, self._exporting.send(spans))
            current = self._under_way
            taken = await asyncio.shield(current.taken)
            self._under_way = None
            if current.spans is spans:
                return taken

    def _did_not_take(self) -> None:
        self._failing += 1
        if self._failing == 1:
            _log.warning(
                "traces are not taken by the OTLP endpoint: %s. They wait in the record, and are "
                "offered again",
                self._exporting.problem or "it cannot be reached, or refuses them",
                extra={"action": "traces_wait"},
            )

    def _took_again(self) -> None:
        if self._failing:
            _log.info("traces are taken again", extra={"action": "traces_taken"})
        self._failing = 0

    async def aclose(self) -> None:
        """Tell what there is to tell, within the time there is for it; then say what became of the
        rest. Whoever called `run` has ended it."""
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(self._closing_s):
                await self._service.entered()
                while await self.turn(last=True):
                    pass
        self._exporting.close()
        if self._held is not None:
            await self._give_back(self._held)
        if self.numbers.dropped:
            _log.warning(
                "%d spans were dropped: nobody took them in time",
                self.numbers.dropped,
                extra={"action": "traces_dropped"},
            )

    async def _give_back(self, batch: Batch) -> None:
        """The process ends with a batch in its hands. One that was refused for sure is the next
        process's to tell; of one whose answer is out nobody knows, and it is not told twice."""
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(_ANSWER_S):
                current = self._under_way
                mine = current is not None and current.spans is batch.spans
                if mine and current is not None and await asyncio.shield(current.taken):
                    self._count(batch)
                    return
                if await self._store.claim_spans(batch.reader.name, batch.upto, batch.after):
                    return
        self.numbers.dropped += len(batch.spans)
