"""A store in trouble, on demand."""

import asyncio
from collections.abc import Sequence
from typing import Any

from subagent_sidecar.core.admission import NO_RULES
from subagent_sidecar.core.candidates import Candidate, ReapClaim
from subagent_sidecar.core.changes import Change, Start
from subagent_sidecar.core.model import Intent, LiveChain, Run, TaskRecord, Thread
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.errors import StoreBusy, StoreError, StoreUnavailable
from subagent_sidecar.store.memory import MemoryStore


class TroubledStore(MemoryStore):
    """`down` fails every call later, as a locked file does; `busy` refuses writes at once;
    `hold` leaves writes unanswered until `answer` is called; the next `unreadable` looks
    for what is live fail. `handed_in` is every batch of
    changes it was ever given."""

    def __init__(self) -> None:
        super().__init__()
        self.down: StoreError | None = None
        self.busy = False
        self.hold = False
        self.unreadable = 0
        self.handed_in: list[tuple[Change, ...]] = []
        self.pruned_before: list[str] = []
        self._held: list[tuple[asyncio.Future[None], tuple[Change, ...]]] = []

    def apply(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        self.handed_in.append(tuple(changes))
        if self.busy:
            raise StoreBusy("too many writes are waiting")
        if self.down is not None:
            return _failed(self.down)
        if self.hold:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._held.append((future, tuple(changes)))
            return future
        return super().apply(changes)

    async def candidates(
        self, upstream: str, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Candidate]:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreUnavailable("the file is locked")
        return await super().candidates(upstream, after=after, limit=limit)

    def claim_reaps(self, claims: Sequence[ReapClaim]) -> asyncio.Future[Sequence[bool]]:
        return super().claim_reaps(claims) if self.down is None else _failed(self.down)

    async def prune(self, before: str, *, limit: int) -> int:
        self.pruned_before.append(before)
        if self.down is not None:
            raise self.down
        return await super().prune(before, limit=limit)

    def answer(self, error: StoreError | None = None) -> None:
        """Do, or fail, the oldest write that is held."""
        future, changes = self._held.pop(0)
        if error is not None:
            future.set_exception(error)
        else:
            done = super().apply(changes)
            assert done.done()
            future.set_result(None)

    def admit(self, start: Start, policy: Policy = NO_RULES) -> asyncio.Future[Intent]:
        if self.down is not None:
            return _failed(self.down)
        return super().admit(start, policy)

    async def thread(self, thread_id: str) -> Thread | None:
        if self.down is not None:
            raise self.down
        return await super().thread(thread_id)

    async def task(self, task_id: str) -> TaskRecord | None:
        if self.down is not None:
            raise self.down
        return await super().task(task_id)

    async def live_chains(
        self, upstream: str, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[LiveChain]:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreUnavailable("the file is locked")
        return await super().live_chains(upstream, after=after, limit=limit)

    async def open_intents(self, *, before: str) -> Sequence[Intent]:
        if self.down is not None:
            raise self.down
        return await super().open_intents(before=before)

    async def open_cancels(self, *, limit: int) -> Sequence[tuple[str, Run]]:
        if self.down is not None:
            raise self.down
        return await super().open_cancels(limit=limit)

    @property
    def changes(self) -> list[Change]:
        """Everything it was handed, in order."""
        return [change for batch in self.handed_in for change in batch]


def _failed(error: StoreError) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
