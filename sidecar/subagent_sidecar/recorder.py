"""Enters changes into the store behind the answers, in order, and never gives one up.

Nobody waits for a record to be written, so records wait for company: a commit costs the same for
one change as for a hundred. When the store is in trouble they are kept and tried again; a change
the store will never take (it is told apart from trouble) is dropped alone, with a line in the log.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count
from operator import itemgetter

from .core.acts import AdminActed
from .core.changes import (
    CancelConfirmed,
    Change,
    Polled,
    Released,
    RunGone,
    RunSeen,
    StartRefused,
    ThreadGone,
    ThreadSeen,
    UsageSeen,
    WaitingCancelled,
)
from .errors import StoreError, StoreRejected
from .ports import Store

_log = logging.getLogger(__name__)

_COMPANY_S = 0.01
_RETRY_S = 0.5
_KEPT_LIMIT = 100_000
_COUNTING = (Polled, StartRefused, AdminActed)
"""What is another one each time that it is entered."""
EASING = (
    CancelConfirmed,
    Released,
    RunGone,
    RunSeen,
    ThreadGone,
    ThreadSeen,
    UsageSeen,
    WaitingCancelled,
)
"""What may give a place back, or what was held of a budget: with it on record a start may be let in
that was refused without."""


class Recorder:
    """`post` returns at once; `entered` waits until the store has what was posted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.unentered: list[Change] = []
        """What was posted and waits for company; not to be changed from outside."""
        self._about: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._on_their_way: set[asyncio.Future[None]] = set()
        self._tickets = count()
        self._kept: deque[tuple[int, Change]] = deque(maxlen=_KEPT_LIMIT)
        self._retry: asyncio.TimerHandle | None = None
        self._listeners: list[Callable[[], None]] = []
        self._handed_in = 0
        self.dropped = 0
        """Changes that the store will never take."""

    @property
    def waiting(self) -> int:
        """Changes that are not on record yet."""
        return len(self.unentered) + self._handed_in + len(self._kept)

    def on_entered(self, listener: Callable[[], None]) -> None:
        """Call `listener`, which must not raise, whenever changes are on record."""
        self._listeners.append(listener)

    def post(self, change: Change, *, about: Collection[str] = ()) -> None:
        """Enter `change` soon. `about` are the threads whose later starts must find it entered."""
        self.unentered.append(change)
        self._about.update(about)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COMPANY_S, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self.enter()

    def enter_about(self, *threads: str | None) -> None:
        """Hand in what was posted if any of it is about one of these threads."""
        if not self._about.isdisjoint(threads):
            self.enter()

    def enter(self) -> None:
        """Hand in what was posted, before anything that is handed in later."""
        changes = self.unentered
        if not changes:
            return
        self.unentered = []
        self._about.clear()
        ticket = next(self._tickets)
        if self._kept:
            self._keep(ticket, changes)
        else:
            self._hand_in(ticket, changes)

    async def entered(self) -> None:
        """Wait until what was posted so far is on record, or the store has refused it."""
        self.enter()
        for _ in range(2):  # what was refused together is handed in once more, one by one
            if self._on_their_way:
                await asyncio.wait(set(self._on_their_way))

    async def enter_now(self, changes: Sequence[Change]) -> None:
        """Return when `changes` are on record. Raises StoreError where they are not: nothing is
        tried again, for somebody waits who can do that."""
        await self._store.apply(changes)
        self.notify()

    def notify(self) -> None:
        """Something more is on record."""
        for listener in self._listeners:
            listener()

    async def flush(self) -> None:
        """`entered`, with one more try of what was refused before."""
        if self._retry is not None:
            self._retry.cancel()
            self._try_again()
        await self.entered()

    def _hand_in(self, ticket: int, changes: Sequence[Change]) -> None:
        try:
            future = self._store.apply(changes)
        except StoreError as error:
            self._refused(ticket, changes, error)
            return
        self._on_their_way.add(future)
        self._handed_in += len(changes)
        future.add_done_callback(lambda done: self._answered(done, ticket, changes))

    def _answered(
        self, future: asyncio.Future[None], ticket: int, changes: Sequence[Change]
    ) -> None:
        self._on_their_way.discard(future)
        self._handed_in -= len(changes)
        if future.cancelled():
            return
        if (error := future.exception()) is not None:
            self._refused(ticket, changes, error)
            return
        self.notify()
        if any(earlier < ticket for earlier, _ in self._kept):
            # Entered before what it followed, it may have meant nothing. Entering it once more
            # does no harm, but for what counts.
            self._keep(ticket, [change for change in changes if not isinstance(change, _COUNTING)])

    def _refused(self, ticket: int, changes: Sequence[Change], error: BaseException) -> None:
        if not isinstance(error, StoreRejected):
            if not self._kept:
                _log.error(
                    "the store does not take records: %s; they are kept and tried again",
                    error,
                    extra={"action": "store_write_failed"},
                )
            self._keep(ticket, changes)
        elif len(changes) > 1:
            for change in changes:
                self._hand_in(ticket, [change])
        else:
            self.dropped += 1
            _log.error(
                "a record (%s) cannot be entered and is dropped: %s",
                type(changes[0]).__name__,
                error,
                extra={"action": "record_dropped"},
            )

    def _keep(self, ticket: int, changes: Iterable[Change]) -> None:
        self._kept.extend((ticket, change) for change in changes)
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(_RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        kept = sorted(self._kept, key=itemgetter(0))
        self._kept.clear()
        if kept:
            self._hand_in(kept[0][0], [change for _, change in kept])
