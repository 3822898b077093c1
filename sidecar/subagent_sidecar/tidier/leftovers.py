"""Removes threads of subagents whose start came to nothing: failed, or refused before a restart.

deepagents makes a thread for each task and never uses the one of a start that failed again; other
clients may well send the same start once more, minutes later. So only threads go that were made for
a subagent by name, some time after the last start on them has failed, and on which for all that the
record and the server know nothing was ever started. What failed is read from the record: a restart
goes on where the one before was.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from ..core.feed import EventQuery
from ..core.model import Thread, Timestamp, timestamp
from ..core.recovery import normalised
from ..credentials import Credentials
from ..errors import StoreError, UpstreamError
from ..ports import AgentServer, Clock, Store
from ..service import Service

_log = logging.getLogger(__name__)

_FAILED = frozenset({"refused", "start_failed"})
_NOTHING_CAME_OF = _FAILED | {"in_doubt", "would_refuse"}
"""The events of a thread on which nothing was started."""
_QUIET = timedelta(minutes=1)
"""So long after the last start failed nobody sends it once more."""
_BACK = timedelta(hours=1)
"""How far a restart looks back."""
_SAME = timedelta(minutes=1)
"""How far the server's clock may be off. A thread that it made at another time is not the one that
was made through us: `if_exists: do_nothing` may hand out an old one."""
_TRIES = 3
_PAGE = 500
_WAITING_LIMIT = 10_000
_EVENTS = 100


class Leftovers:
    """One loop. `credentials` has what to present of whom a thread was made for."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
        interval_s: float = 60.0,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._servers = servers
        self._credentials = credentials
        self._interval_s = interval_s
        self._after: int | None = None
        self._failed: dict[str, Timestamp] = {}
        """By thread: when the last start on it failed."""
        self._tries: dict[str, int] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                _log.debug("cannot look for threads that are left behind: %s", error)
            await asyncio.sleep(self._interval_s)

    async def sweep(self) -> int:
        """Remove what may go by now, and say how many threads went."""
        await self._read_on()
        before = timestamp(self._clock.now() - _QUIET)
        removed = 0
        for thread_id in [one for one, at in self._failed.items() if at < before]:
            try:
                removed += await self._removed(thread_id)
            except UpstreamError as error:
                self._tries[thread_id] = self._tries.get(thread_id, 0) + 1
                _log.debug("the thread %s could not be removed: %s", thread_id, error)
                if self._tries[thread_id] < _TRIES:
                    continue
            self._failed.pop(thread_id, None)
            self._tries.pop(thread_id, None)
        return removed

    async def _read_on(self) -> None:
        await self._service.entered()
        if self._after is None:
            back = timestamp(self._clock.now() - _BACK)
            self._after = await self._store.position_at(back)
        more = True
        while more:
            query = EventQuery(after=self._after, limit=_PAGE, kinds=_FAILED)
            page = await self._store.events_after(query)
            self._after, more = page.upto, page.more
            for told in page.events:
                if told.event.task_id is not None and len(self._failed) < _WAITING_LIMIT:
                    self._failed[told.event.task_id] = told.event.at

    async def _removed(self, thread_id: str) -> bool:
        thread = await self._store.thread(thread_id)
        server = None if thread is None else self._servers.get(thread.upstream)
        if thread is None or server is None or not await self._nothing_came_of(thread):
            return False
        auth = self._credentials.of(thread_id)
        listed = await server.runs(thread_id, limit=1, auth=auth)
        if listed is None or listed:  # where the server does not tell, nobody knows
            return False
        made = await server.blank_since(thread_id, auth=auth)
        if made is None or not _at_once(normalised(made), thread.created_at):
            return False
        if not await self._nothing_came_of(thread):
            return False
        gone = await server.delete_thread(thread_id, auth=auth)
        if gone:
            _log.debug(
                "removed the thread %s, which a start that failed left behind",
                thread_id,
                extra={"action": "thread_removed"},
            )
        return gone

    async def _nothing_came_of(self, thread: Thread) -> bool:
        """Whether it was made for a subagent and the record knows of nothing that was started."""
        await self._service.entered()
        if thread.agent_name is None:
            return False
        record = await self._store.task(thread.thread_id)
        if record is not None and (record.task.run_id is not None or record.task.live):
            return False
        strangers = await self._store.unrecorded(thread.upstream, [thread.thread_id])
        if record is None and thread.thread_id not in strangers:
            return False  # a start is on its way
        events = await self._store.events(thread.thread_id, limit=_EVENTS)
        kinds = _NOTHING_CAME_OF if record is None else _NOTHING_CAME_OF | {"ended"}
        return all(event.kind in kinds for event in events)


def _at_once(made: Timestamp | None, recorded: Timestamp) -> bool:
    """Whether a server's time is that at which we saw the thread being made."""
    if made is None:
        return False
    apart = datetime.fromisoformat(made) - datetime.fromisoformat(recorded)
    return abs(apart) < _SAME
