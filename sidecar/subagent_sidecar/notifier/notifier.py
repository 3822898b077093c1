"""The loop that finds in the record what is to be told, and puts it down to be delivered.

How far it is stands in the store, and is moved there in the transaction that puts down what was
found. So whatever is restarted when, and however many processes share a store, each end is put
down once for each target. Requests have no part in this: it reads behind the record.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from ..core.feed import EventPage, EventQuery
from ..core.model import Event, TaskRecord, timestamp
from ..core.push.deliveries import GIVEN_UP_AFTER, Delivery, is_too_old
from ..core.push.targets import KINDS, is_ripe, is_told, turned_out_waiting
from ..errors import StoreError
from ..ports import Clock, Store
from ..tasks import spawn
from .sender import Numbers, Sender

_log = logging.getLogger(__name__)

PLACE = "push"
_PAGE = 200
_LOOK_S = 1.0
"""How often to look without having been told: another sidecar may write to the store, too."""
_COMPANY_S = 0.1
_UNTOLD = 5_000
"""Events with nothing to tell that are looked through again, at most, by the next process."""
_TIDY_S = 3600.0
_CLOSING_S = 2.0


@dataclass
class _Place:
    """`claimed` in the store; `looked`: there is nothing to tell up to there."""

    claimed: int = -1
    looked: int = -1


@dataclass
class _Found:
    upto: int
    deliveries: list[Delivery] = field(default_factory=list)
    too_old: int = 0


class Notifier:
    """`begin` it before anything happens that is to be told."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        senders: Sequence[Sender],
        on_news: Callable[[Callable[[], None]], None],
        look_s: float = _LOOK_S,
        closing_s: float = _CLOSING_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._senders = senders
        self._look_s = look_s
        self._closing_s = closing_s
        self._wake = asyncio.Event()
        self._place = _Place()
        self._tidied: float | None = None
        on_news(self._wake.set)

    @property
    def numbers(self) -> Mapping[str, Numbers]:
        """By target."""
        return {sender.target.name: sender.numbers for sender in self._senders}

    async def waiting(self) -> Mapping[str, int]:
        """How much is to be delivered, by target. Raises StoreError."""
        return await self._store.deliveries_waiting()

    async def begin(self) -> None:
        """Whoever comes first on a store begins with what comes next. Raises StoreError."""
        await self._store.begin_spans(PLACE)

    async def run(self) -> None:
        """For ever: put down what is new, and have it sent."""
        async with AsyncExitStack() as stack:
            for sender in self._senders:
                sending = spawn(sender.run(self._look_s), name=f"pushes to {sender.target.name}")
                stack.callback(sending.cancel)
            while True:
                self._wake.clear()
                if not await self._try_turn():
                    await self._rest()

    async def _try_turn(self) -> bool:
        try:
            await self._tidy()
            return await self.turn()
        except StoreError as error:
            _log.warning(
                "push waits: the record cannot be read: %s", error, extra={"action": "push_unread"}
            )
            return False

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._look_s):
                await self._wake.wait()
            await asyncio.sleep(_COMPANY_S)
        except TimeoutError:
            return

    async def turn(self) -> bool:
        """Put down what comes next; whether there may be more. Raises StoreError."""
        await self._find_place()
        place = self._place
        page = await self._store.events_after(
            EventQuery(after=place.looked, limit=_PAGE, kinds=KINDS)
        )
        found = await self._found(page)
        if not found.deliveries and found.upto - place.claimed < _UNTOLD:
            place.looked = max(found.upto, place.looked)
            self._say_too_old(found)
            return found.upto == page.upto and page.more
        if not await self._store.enter_deliveries(
            PLACE, place.claimed, found.upto, found.deliveries
        ):
            return True  # another sidecar was quicker
        place.claimed = place.looked = found.upto
        self._say_too_old(found)
        for sender in self._senders:
            sender.wake()
        return found.upto == page.upto and page.more

    async def _find_place(self) -> None:
        claimed = await self._store.spans_claimed(PLACE)
        if claimed is None:
            await self.begin()
            claimed = await self._store.spans_claimed(PLACE)
        if claimed != self._place.claimed:
            self._place = _Place(claimed or 0, claimed or 0)

    async def _found(self, page: EventPage) -> _Found:
        """What is told of a page, and up to which number: a success may have to wait a moment."""
        events = [told.event for told in page.events if is_told(told.event)]
        ids = sorted({event.task_id or "" for event in events})
        records = {r.task.task_id: r for r in await self._store.tasks_with(ids)} if ids else {}
        now = self._clock.now()
        found = _Found(page.upto)
        for event in events:
            record = records.get(event.task_id or "")
            if record is None:
                continue
            if is_too_old(event.at, now):
                found.too_old += 1
            elif not is_ripe(event, record.task, now):
                found.upto = event.seq - 1
                break
            else:
                found.deliveries += self._of(event, record)
        return found

    def _of(self, event: Event, record: TaskRecord) -> Iterator[Delivery]:
        task, status = record.task, event.status or ""
        if turned_out_waiting(event, task):
            return
        for sender in self._senders:
            if sender.target.wants(task, status):
                yield Delivery(
                    target=sender.target.name,
                    seq=event.seq,
                    at=event.at,
                    status=status,
                    task_id=task.task_id,
                    run_id=event.run_id,
                    next_at=timestamp(self._clock.now()),
                )

    def _say_too_old(self, found: _Found) -> None:
        if found.too_old:
            _log.warning(
                "push: %d ends are not told, they are of more than a day ago",
                found.too_old,
                extra={"action": "push_too_old"},
            )

    async def _tidy(self) -> None:
        """Now and then give up what is too old, be it for targets that are configured no more."""
        now = self._clock.monotonic()
        if self._tidied is not None and now - self._tidied < _TIDY_S:
            return
        before = timestamp(self._clock.now() - GIVEN_UP_AFTER)
        dropped = await self._store.drop_deliveries(before)
        self._tidied = now
        for target, count in dropped.items():
            if target in self.numbers:
                self.numbers[target].given_up += count
            _log.warning(
                "push to %s: %d ends were not told within a day, and are given up",
                target,
                count,
                extra={"action": "push_given_up"},
            )

    async def aclose(self) -> None:
        """Whoever called `run` has ended it."""
        await asyncio.gather(*(sender.aclose(self._closing_s) for sender in self._senders))
