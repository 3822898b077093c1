"""Removing from their servers what was to be terminated: after its end was verified, never before.

A server that is told to delete a thread while a run of it is going on forgets the run and works
on it all the same (`langgraph dev` does). So the record has to know every run of the task to be
over, and the server to list none that is live.
"""

import logging
from collections.abc import Mapping

from ..core.lifecycle import has_ended, run_status
from ..core.model import EndedBy, TaskRecord
from ..credentials import Credentials
from ..errors import UpstreamError
from ..ports import AgentServer, Clock, Store
from ..service import Service

_log = logging.getLogger(__name__)

_AT_ONCE = 100
_LISTED = 50
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0
_REMEMBERED = 10_000


class Terminating:
    """`turn` removes what can be removed now."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._servers = servers
        self._credentials = credentials
        self._pauses: dict[str, tuple[float, float]] = {}
        """Of tasks that could not be removed: when to try again, and the pause after that."""

    async def turn(self) -> None:
        """Raises StoreError."""
        for upstream, task_id, run_id in await self._store.to_terminate(limit=_AT_ONCE):
            now = self._clock.monotonic()
            again, pause = self._pauses.get(task_id, (now, _FIRST_PAUSE_S))
            server = self._servers.get(upstream)
            if server is None or now < again:
                continue
            try:
                done = await self._remove(server, upstream, task_id)
            except UpstreamError as error:
                _log.debug("thread %s cannot be removed yet: %s", task_id, error)
                done = False
            if done:
                self._pauses.pop(task_id, None)
                self._service.cancels.terminated(task_id, run_id)
            else:
                self._pauses[task_id] = now + pause, min(pause * 2, _LONGEST_PAUSE_S)
                if len(self._pauses) > _REMEMBERED:
                    del self._pauses[next(iter(self._pauses))]

    async def _remove(self, server: AgentServer, upstream: str, task_id: str) -> bool:
        """Whether nothing is left to remove."""
        record = await self._store.task(task_id)
        if record is None:
            return True
        if not _is_over(record):
            return False
        auth = self._credentials.of(task_id)
        listed = await server.runs(task_id, limit=_LISTED, auth=auth) or ()
        statuses = [run_status(run.status) for run in listed]
        if any(status is None or not has_ended(status) for status in statuses):
            return False
        if await server.delete_thread(task_id, auth=auth):
            reason = "the task was terminated"
            self._service.seen.thread_gone(upstream, task_id, by=EndedBy.REAPER, reason=reason)
            _log.info(
                "the thread of task %s was removed from its server",
                task_id,
                extra={"action": "terminated", "task_id": task_id},
            )
        return True


def _is_over(record: TaskRecord) -> bool:
    """Whether every run of it was seen to be over, and nothing new is on its way."""
    return not (record.task.live or record.in_doubt or any(r.unfinished for r in record.runs))
