"""Whose threads and runs are, for those who may see only their own.

The record says it. What it has said of the caller's own is remembered; what is not the caller's is
looked up each time, whoever's it is, so that nobody can tell by the time it takes whether there is
such a thread. Answers may be quicker than the record of them, so the record is brought up to date
before it is asked.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..core.generations import Generations
from ..core.owners import Owner
from ..errors import StoreUnavailable
from ..ports import Owners as Record
from ..service import Service

_REMEMBERED = 50_000
_PATIENCE_S = 5.0
"""How long a request waits for a record that is in trouble."""
_AT_A_TIME = 500
_MADE_LATELY = 500
"""Threads that may have no task yet."""


class Owners:
    """Every method raises StoreError: who cannot be told what is theirs is shown nothing."""

    def __init__(
        self, *, service: Service, record: Record, patience_s: float = _PATIENCE_S
    ) -> None:
        self._patience_s = patience_s
        self._service = service
        self._record = record
        self._threads: Generations[str, Owner] = Generations(_REMEMBERED)
        self._runs: Generations[tuple[str, str], bool] = Generations(_REMEMBERED)
        self._made: deque[tuple[Owner, str]] = deque(maxlen=_MADE_LATELY)
        self._claims: dict[str, Owner] = {}

    async def made(self, owner: Owner, thread_id: str) -> bool:
        """A thread was just made for them, and the record was told: whether it is theirs there,
        for somebody may have named the same id to another process at the same moment. From here on
        every process on that record knows whose it is."""
        found = (await self.of_all([thread_id], owner)).get(thread_id)
        if found is not None and found != owner:
            return False
        self.remember(owner, thread_id)
        return True

    def remember(self, owner: Owner, thread_id: str) -> None:
        """A thread is theirs for this process, whatever comes of the record."""
        self._threads.set(thread_id, owner)
        self._made.append((owner, thread_id))

    async def of(self, thread_id: str, owner: Owner) -> Owner | None:
        """Whose a thread is, which may be `owner`'s; None where it is nobody's."""
        if self._threads.get(thread_id) == owner:
            return owner
        found = (await self.of_all([thread_id], owner)).get(thread_id)
        return found or self._threads.get(thread_id)

    async def home(self, supervisor: str, thread_id: str) -> str | None:
        """The upstream on which a thread is the supervisor's."""
        found = self._threads.get(thread_id)
        if found is None or found.supervisor != supervisor:
            found = await self.of(thread_id, Owner("", supervisor))
        return found.upstream if found is not None and found.supervisor == supervisor else None

    async def of_all(self, thread_ids: Sequence[str], owner: Owner) -> dict[str, Owner]:
        """Whose each of them is that somebody's is."""
        await self._up_to_date()
        found: dict[str, Owner] = {}
        for first in range(0, len(thread_ids), _AT_A_TIME):
            some = thread_ids[first : first + _AT_A_TIME]
            found.update(await self._record.owners(some))
        for thread_id, whose in found.items():
            if whose.supervisor == owner.supervisor:
                self._threads.set(thread_id, whose)
        return found

    async def has_run(self, thread_id: str, run_id: str) -> bool:
        """Whether a thread that is the caller's has a run, for all that is on record. Servers
        differ in whether they look at the thread at all when they are asked for a run."""
        if self._runs.get((thread_id, run_id)):
            return True
        await self._up_to_date()
        found = await self._record.has_run(thread_id, run_id)
        if found:
            self._runs.set((thread_id, run_id), True)
        return found

    async def newest(self, owner: Owner, *, limit: int) -> Sequence[str]:
        """The newest tasks that are theirs, and the threads that were made lately."""
        await self._up_to_date()
        lately = [thread_id for whose, thread_id in reversed(self._made) if whose == owner]
        return list(dict.fromkeys([*lately, *await self._record.owned(owner, limit=limit)]))

    @contextmanager
    def claim(self, thread_id: str, owner: Owner) -> Iterator[bool]:
        """Whether nobody else is about to make a thread of this id; nobody can until it is over."""
        if thread_id in self._claims:
            yield self._claims[thread_id] == owner
            return
        self._claims[thread_id] = owner
        try:
            yield True
        finally:
            del self._claims[thread_id]

    async def _up_to_date(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._service.entered()
        except TimeoutError as error:
            raise StoreUnavailable(
                "the record takes too long to be written, and without it nobody can tell what is "
                "yours; try again shortly"
            ) from error
