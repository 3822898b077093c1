"""Waking those who follow the record.

Nobody asks the store while nothing happens: followers sleep until this process has entered
something, and one look a second, for all of them together, notices what others on the same file
have entered. A follower reads from the store at its own pace, so nothing is kept for slow ones.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import StoreError
from ..ports import Store
from ..tasks import spawn


class Follower:
    """One who follows. `gone` says whether its client has left."""

    def __init__(self, gone: Callable[[], bool]) -> None:
        self.gone = gone
        self.closing = False
        self._news = asyncio.Event()

    @property
    def over(self) -> bool:
        return self.closing or self.gone()

    def wake(self) -> None:
        self._news.set()

    def up_to_date(self) -> None:
        """Call before reading: what comes after this ends the next `wait`."""
        self._news.clear()

    async def wait(self, seconds: float) -> bool:
        """Whether there may be something to read, or it is over; False when time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._news.wait()
        return False


class Followers:
    """All of them. `tell` them when something is on record; `close` ends them."""

    def __init__(self, store: Store, *, look_s: float = 1.0) -> None:
        self._store = store
        self._look_s = look_s
        self._all: set[Follower] = set()
        self._closing = False
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def following(self, gone: Callable[[], bool]) -> Iterator[Follower]:
        """One more, until the block ends."""
        follower = Follower(gone)
        follower.closing = self._closing
        self._all.add(follower)
        if self._looking is None:
            self._looking = spawn(self._look_for_others(), name="follow other processes")
        try:
            yield follower
        finally:
            self._all.discard(follower)
            if not self._all and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def tell(self) -> None:
        """Something is on record."""
        for follower in self._all:
            follower.wake()

    def close(self) -> None:
        """End them all, and those to come."""
        self._closing = True
        for follower in self._all:
            follower.closing = True
            follower.wake()

    async def _look_for_others(self) -> None:
        known = 0
        while True:
            await asyncio.sleep(self._look_s)
            with suppress(StoreError):
                last = await self._store.last_event()
                if last != known:
                    known = last
                    self.tell()
            for follower in self._all:
                if follower.gone():
                    follower.wake()
