"""What is on record about the tasks of one upstream."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from ..core.model import LiveChain, TaskRecord, Timestamp
from ..errors import StoreError
from ..ports import Store
from ..service import Service

_log = logging.getLogger(__name__)

_AGAIN_S = 5.0
_PAGE = 500
_LOOSE_ENDS = 1_000


class Books:
    """Read only: what is found out is told to the service."""

    def __init__(self, upstream: str, *, service: Service, store: Store) -> None:
        self._upstream = upstream
        self._service = service
        self._store = store

    async def record(self, task_id: str) -> TaskRecord | None:
        """The books on a task, up to date. Raises StoreError."""
        await self._service.entered()
        return await self._store.task(task_id)

    async def unfinished(self) -> AsyncIterator[LiveChain]:
        """The tasks that are not over for all that is known. Waits for books that cannot be read
        yet."""
        after: tuple[Timestamp, str] | None = None
        while True:
            page = await self._live(after)
            for chain in page:
                yield chain
            if len(page) < _PAGE:
                break
            after = page[-1].created_at, page[-1].task_id
        for chain in await self._loose_ends():
            yield chain

    async def _live(self, after: tuple[Timestamp, str] | None) -> Sequence[LiveChain]:
        while True:
            try:
                return await self._store.live_chains(self._upstream, after=after, limit=_PAGE)
            except StoreError as error:
                _log.warning("live tasks cannot be read yet: %s", error)
                await asyncio.sleep(_AGAIN_S)

    async def _loose_ends(self) -> Sequence[LiveChain]:
        """What a process that died had seen half of."""
        try:
            return await self._store.loose_ends(self._upstream, limit=_LOOSE_ENDS)
        except StoreError as error:
            _log.warning("the tasks that ended last cannot be read: %s", error)
            return ()
