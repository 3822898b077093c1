"""Reading a run that is to end, and what else is needed to know whether it is over."""

from ..core.cancel import Sight
from ..core.lifecycle import has_ended, run_status
from ..core.model import RunStatus
from ..errors import UpstreamRefused
from ..ports import AgentServer, Headers
from ..service import Service
from .pursuit import Pursuit

_LISTED = 50


async def look(server: AgentServer, service: Service, pursuit: Pursuit, *, auth: Headers) -> Sight:
    """What the server shows; it is entered into the books on the way. Raises UpstreamError."""
    upstream, thread_id, run_id = pursuit.key
    run = await server.run(thread_id, run_id, auth=auth)
    if run is None:
        if await server.thread_status(thread_id, auth=auth) is not None:
            return Sight(run=None)
        return Sight(run=None, thread_gone=True, proven=await _is_a_server(server, auth))
    status = run_status(run.status)
    if status is None or not has_ended(status):
        service.seen.run(upstream, thread_id, run_id, run.status, created_at=run.created_at)
        return Sight(run=status or RunStatus.RUNNING)
    word = await server.thread_status(thread_id, auth=auth)
    busy = status is RunStatus.INTERRUPTED and word == "busy"
    sight = Sight(run=status, thread_busy=busy and await _is_alone(server, thread_id, auth))
    service.seen.run(upstream, thread_id, run_id, run.status, created_at=run.created_at)
    if word != "busy":
        service.seen.thread(upstream, thread_id, word)
    return sight


async def _is_a_server(server: AgentServer, auth: Headers) -> bool:
    """Whether it answers a question as only an agent server would."""
    try:
        return await server.listed_threads(limit=1, offset=0, auth=auth) is not None
    except UpstreamRefused:
        return False


async def _is_alone(server: AgentServer, thread_id: str, auth: Headers) -> bool:
    """Whether no run of the thread is live, as far as the server lists them: then no other run
    can be what keeps the thread busy."""
    listed = await server.runs(thread_id, limit=_LISTED, auth=auth)
    if listed is None:
        return False
    statuses = [run_status(run.status) for run in listed]
    return not any(status is not None and not has_ended(status) for status in statuses)
