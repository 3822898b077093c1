"""Removes the threads that refused starts leave behind.

deepagents makes a thread and then starts a run on it. Where the start is refused, nobody will ever
ask after that thread again. Behind the answer it is removed upstream, with the credentials of whom
it was made for: but only one that was made through us moments ago, on which nothing was started and
in which nothing is, for all that we and the server know. To make a thread may also be to be given
one that somebody has had for long (`if_exists: do_nothing`), and state can be put into a new one.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from ..core.model import Timestamp, timestamp
from ..core.recovery import normalised
from ..credentials import Credentials
from ..errors import StoreError, UpstreamError
from ..ports import AgentServer, Clock, Headers, Store
from ..service import Service
from ..tasks import spawn

_log = logging.getLogger(__name__)

_FRESH = timedelta(minutes=1)
"""How old a thread may be that was made for the start. An older one is somebody's, who has other
plans with it."""
_AT_ONCE = 4
_WAITING_LIMIT = 1_000
_LAST_S = 1.0
_EVENTS = 100
_NOTHING_CAME_OF = frozenset({"refused"})
"""The events of a thread on which nothing was started."""


class _Removal:
    """A thread that may have to go. Under `deciding` it is removed, or `called_off`."""

    def __init__(self, upstream: str, thread_id: str, supervisor: str, auth: Headers) -> None:
        self.upstream = upstream
        self.thread_id = thread_id
        self.supervisor = supervisor
        self.auth = auth
        self.called_off = False
        self.deciding = asyncio.Lock()


class Tidier:
    """ports.Tidier. What fails is tried once more, after `pause_s` seconds."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
        pause_s: float = 1.0,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._servers = servers
        self._credentials = credentials
        self._pause_s = pause_s
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._removals: dict[str, _Removal] = {}
        self._working: set[asyncio.Task[None]] = set()

    def left_behind(self, upstream: str, thread_id: str, *, supervisor: str, auth: Headers) -> None:
        if thread_id in self._removals:
            return
        if len(self._working) >= _WAITING_LIMIT:
            _log.debug("too many threads wait for their removal; %s stays", thread_id)
            return
        removal = _Removal(upstream, thread_id, supervisor, auth)
        self._removals[thread_id] = removal
        task = spawn(self._see_to(removal), name="remove a thread")
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    def failed(self, thread_id: str, *, auth: Headers) -> None:
        """See ports.Tidier: Leftovers finds it on record, and has these to present."""
        self._credentials.keep(thread_id, auth)

    def concerns(self, thread_id: str) -> bool:
        """See ports.Tidier."""
        return thread_id in self._removals

    async def spare(self, thread_id: str) -> None:
        removal = self._removals.pop(thread_id, None)
        if removal is not None:
            removal.called_off = True
            async with removal.deciding:
                return

    async def aclose(self) -> None:
        """Give what is under way a moment, and leave the rest."""
        if self._working:
            _, late = await asyncio.wait(self._working, timeout=_LAST_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _see_to(self, removal: _Removal) -> None:
        try:
            if not await self._tried(removal):
                await asyncio.sleep(self._pause_s)
                await self._tried(removal)
        finally:
            if self._removals.get(removal.thread_id) is removal:
                del self._removals[removal.thread_id]

    async def _tried(self, removal: _Removal) -> bool:
        """Whether it is settled what becomes of the thread."""
        try:
            async with self._turns:
                await self._remove(removal)
        except (UpstreamError, StoreError) as error:
            _log.debug(
                "the thread %s, left behind by a refused start, could not be removed: %s",
                removal.thread_id,
                error,
                extra={"action": "thread_left_behind"},
            )
            return False
        return True

    async def _remove(self, removal: _Removal) -> None:
        server = self._servers[removal.upstream]
        if not await self._nothing_began(removal):
            return
        listed = await server.runs(removal.thread_id, limit=1, auth=removal.auth)
        if listed is None or listed:  # where the server does not tell, nobody knows
            return
        made = await server.blank_since(removal.thread_id, auth=removal.auth)
        if made is None or not self._is_fresh(normalised(made)):
            return
        async with removal.deciding:
            # Once more: starts of other processes on the same store call nothing off.
            if removal.called_off or not await self._nothing_began(removal):
                return
            await server.delete_thread(removal.thread_id, auth=removal.auth)
        _log.debug(
            "removed the thread %s, which a refused start left behind",
            removal.thread_id,
            extra={"action": "thread_removed"},
        )

    async def _nothing_began(self, removal: _Removal) -> bool:
        """Whether the record knows the thread as its caller's own, new, and never used. A start
        that was sent and came to nothing is a use, too: who knows what the server made of it."""
        await self._service.entered()
        thread = await self._store.thread(removal.thread_id)
        if thread is None or (thread.upstream, thread.supervisor) != (
            removal.upstream,
            removal.supervisor,
        ):
            return False
        if not self._is_fresh(thread.created_at):
            return False
        events = await self._store.events(removal.thread_id, limit=_EVENTS)
        if any(event.kind not in _NOTHING_CAME_OF for event in events):
            return False
        return await self._store.task(removal.thread_id) is None and not await self._under_way(
            removal.thread_id
        )

    def _is_fresh(self, made: Timestamp | None) -> bool:
        return made is not None and made >= timestamp(self._clock.now() - _FRESH)

    async def _under_way(self, thread_id: str) -> bool:
        before = timestamp(self._clock.now() + _FRESH)
        return any(
            intent.thread_id == thread_id
            for intent in await self._store.open_intents(before=before)
        )
