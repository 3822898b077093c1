"""Looking at a task on its server before it is claimed: what is on record may be a little old."""

from collections.abc import Mapping

from ..core.candidates import Reap
from ..core.lifecycle import has_ended, run_status, thread_status
from ..core.model import RunStatus, TaskStatus, ThreadStatus
from ..credentials import Credentials
from ..ports import AgentServer, Headers
from ..service import Service


class Sighting:
    """What is seen is entered into the books on the way."""

    def __init__(
        self, *, service: Service, servers: Mapping[str, AgentServer], credentials: Credentials
    ) -> None:
        self._service = service
        self._servers = servers
        self._credentials = credentials

    async def as_judged(self, reap: Reap) -> bool:
        """Whether its server shows the task as it was judged. Raises UpstreamError: then nobody
        knows, and nothing is done."""
        server = self._servers[reap.upstream]
        auth = self._credentials.of(reap.task_id)
        if has_ended(reap.run_status):
            return await self._thread_as_judged(server, reap, auth)
        run = await server.run(reap.task_id, reap.run_id, auth=auth)
        if run is None:
            return False  # the watcher finds out what became of it
        self._service.seen.run(
            reap.upstream, reap.task_id, reap.run_id, run.status, created_at=run.created_at
        )
        seen = run_status(run.status)
        # A server that was restarted may have put back into its queue what was running.
        put_back = seen is RunStatus.PENDING and reap.run_status is RunStatus.RUNNING
        return seen is None or seen is reap.run_status or put_back

    async def _thread_as_judged(self, server: AgentServer, reap: Reap, auth: Headers) -> bool:
        """Its run is over; the thread tells whether the task waits, or something else goes on."""
        word = await server.thread_status(reap.task_id, auth=auth)
        self._service.seen.thread(reap.upstream, reap.task_id, word)
        waits = reap.status is TaskStatus.WAITING
        wanted = ThreadStatus.INTERRUPTED if waits else ThreadStatus.BUSY
        return thread_status(word) is wanted
