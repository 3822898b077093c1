"""Enters changes into the store behind the answers, in order, and never gives one up.

Nobody waits for a record to be written, so records wait for company: a commit costs the same for
one change as for a hundred. When the store is in trouble they are kept and tried again; a change
the store will never take (it is told apart from trouble) is dropped alone, with a line in the log.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from .core.changes import Change
from .errors import StoreError, StoreRejected
from .ports import Store

_log = logging.getLogger(__name__)

_COMPANY_S = 0.01
_RETRY_S = 0.5
_KEPT_LIMIT = 100_000


class Recorder:
    """`post` returns at once; `entered` waits until the store has what was posted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._posted: list[Change] = []
        self._about: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._on_their_way: set[asyncio.Future[None]] = set()
        self._kept: deque[Change] = deque(maxlen=_KEPT_LIMIT)
        self._retry: asyncio.TimerHandle | None = None

    def post(self, change: Change, *, about: Collection[str] = ()) -> None:
        """Enter `change` soon. `about` are the threads whose later starts must find it entered."""
        self._posted.append(change)
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
        changes = self._posted
        if not changes:
            return
        self._posted = []
        self._about.clear()
        if self._kept:
            self._keep(changes)
        else:
            self._hand_in(changes)

    async def entered(self) -> None:
        """Wait until what was posted so far is on record, or the store has refused it."""
        self.enter()
        while self._on_their_way:
            await asyncio.wait(set(self._on_their_way))

    async def flush(self) -> None:
        """`entered`, with one more try of what was refused before."""
        if self._retry is not None:
            self._retry.cancel()
            self._try_again()
        await self.entered()

    def _hand_in(self, changes: Sequence[Change]) -> None:
        try:
            future = self._store.apply(changes)
        except StoreError as error:
            self._refused(changes, error)
            return
        self._on_their_way.add(future)
        future.add_done_callback(lambda done: self._answered(done, changes))

    def _answered(self, future: asyncio.Future[None], changes: Sequence[Change]) -> None:
        self._on_their_way.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            self._refused(changes, error)

    def _refused(self, changes: Sequence[Change], error: BaseException) -> None:
        if not isinstance(error, StoreRejected):
            if not self._kept:
                _log.error(
                    "the store does not take records: %s; they are kept and tried again",
                    error,
                    extra={"action": "store_write_failed"},
                )
            self._keep(changes)
        elif len(changes) > 1:
            for change in changes:
                self._hand_in([change])
        else:
            _log.error(
                "a record (%s) cannot be entered and is dropped: %s",
                type(changes[0]).__name__,
                error,
                extra={"action": "record_dropped"},
            )

    def _keep(self, changes: Iterable[Change]) -> None:
        self._kept.extend(changes)
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(_RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        changes = list(self._kept)
        self._kept.clear()
        if changes:
            self._hand_in(changes)
