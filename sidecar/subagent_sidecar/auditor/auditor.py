"""Finds what went around the sidecar: lists every thread of a server, and judges each.

Page by page, the newest first, and never faster than the watcher can spare. What comes to be while
the pages are read moves the rest along: a thread that is met twice is judged once. What ends may
move one out of sight until the next audit.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from datetime import timedelta

from ..core.ghosts import (
    YOUNG,
    Adoption,
    Audit,
    Found,
    Ghost,
    Look,
    Not,
    SeenThread,
    judge,
    through_a_sidecar,
)
from ..core.model import timestamp
from ..errors import UpstreamError, UpstreamRefused
from ..ports import AgentServer, Clock, ServerRun, Store
from ..service import Service
from .gathered import Gathered
from .history import history, past_runs

_log = logging.getLogger(__name__)

_PAGE = 100
_THREADS = 20_000
_RUNS = 100
_WITHIN_S = 120.0
_PAUSE_S = 0.02
_NO_SEARCH = "the server has no list of its threads (POST /threads/search), so nobody can tell"
_NO_RUNS = "the server does not list its runs"
_WANTS_CREDENTIALS = "; give it credentials of the sidecar's own (`headers` of the upstream)"


class Auditor:
    """ports.Auditor. `agents` are by upstream the graphs that are known to be subagents;
    `supervisor` is whose the adopted become, `spare` says whether a server may be asked now."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        agents: Mapping[str, Container[str]],
        keep: timedelta,
        supervisor: str,
        spare: Callable[[str], bool],
        within_s: float = _WITHIN_S,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._servers = servers
        self._agents = agents
        self._keep = keep
        self._supervisor = supervisor
        self._spare = spare
        self._within_s = within_s

    async def audit(self, upstreams: Sequence[str], *, most: int) -> Sequence[Audit]:
        """See ports.Auditor."""
        return await asyncio.gather(*(self._audit(name, most) for name in upstreams))

    async def adopt(self, chosen: Sequence[tuple[str, Ghost]]) -> Sequence[Adoption]:
        """See ports.Auditor. The oldest first, so that parents come before their children."""
        in_order = sorted(chosen, key=lambda one: one[1].thread.created_at or "")
        return [await self._adopted(upstream, ghost) for upstream, ghost in in_order]

    async def _audit(self, upstream: str, most: int) -> Audit:
        gathered = Gathered(upstream, most)
        try:
            async with asyncio.timeout(self._within_s):
                await self._gather(gathered)
        except TimeoutError:
            gathered.problem = f"it took longer than {self._within_s:g} s"
        except UpstreamError as error:
            gathered.problem = _problem(error)
        return gathered.audit()

    async def _gather(self, gathered: Gathered) -> None:
        upstream = gathered.upstream
        async for page in self._pages(upstream):
            if page is None:
                gathered.problem = _NO_SEARCH
                return
            new = gathered.unseen(page)
            if not new:
                return  # the end, or a server that knows one page only
            look = await self._look(upstream, new)
            for thread in new:
                verdict = judge(thread, look)
                if isinstance(verdict, Not):
                    gathered.others[verdict] += 1
                elif gathered.full:
                    gathered.more = True
                else:
                    await self._meet(gathered, verdict)
        if gathered.threads >= _THREADS:
            gathered.problem = f"only its newest {_THREADS:,} threads were looked at"

    async def _pages(self, upstream: str) -> AsyncIterator[Sequence[SeenThread] | None]:
        server = self._servers[upstream]
        offset = 0
        while offset < _THREADS:
            await self._turn(upstream)
            page = await server.listed_threads(limit=_PAGE, offset=offset)
            yield page
            if not page:
                return
            offset += len(page)

    async def _look(self, upstream: str, threads: Sequence[SeenThread]) -> Look:
        """By what a page is judged. The record is asked after the server was: what was started
        through us before is on record by now."""
        await self._service.entered()
        ids = [thread.thread_id for thread in threads]
        strangers = await self._store.unrecorded(upstream, ids) if ids else {}
        now = self._clock.now()
        return Look(
            recorded=frozenset(ids) - strangers.keys(),
            made_here=frozenset(one for one, made_here in strangers.items() if made_here),
            agents=self._agents.get(upstream, frozenset()),
            missed_before=timestamp(now - YOUNG),
            kept_since=timestamp(now - self._keep) if self._keep else None,
            begun=await self._store.begun(),
        )

    async def _meet(self, gathered: Gathered, ghost: Ghost) -> None:
        """Ask for a ghost's newest run; where there is none, nothing was ever started."""
        await self._turn(gathered.upstream)
        listed = await self._runs(gathered.upstream, ghost, limit=1)
        if listed is None:
            gathered.ghosts.append(Found(ghost=ghost))
        elif listed:
            newest = listed[0]
            ghost = through_a_sidecar(ghost) if newest.marked else ghost
            gathered.ghosts.append(
                Found(ghost=ghost, run_id=newest.run_id, run_status=newest.status)
            )
        else:
            gathered.others[Not.EMPTY] += 1

    async def _adopted(self, upstream: str, ghost: Ghost) -> Adoption:
        problem = await self._put_on_record(upstream, ghost)
        thread_id, agent = ghost.thread.thread_id, ghost.agent_name
        if problem is None:
            _log.info(
                "put task %s of agent %s on record, which was started past the sidecar",
                thread_id,
                agent,
                extra={"action": "task_adopted"},
            )
        return Adoption(upstream=upstream, thread_id=thread_id, agent_name=agent, problem=problem)

    async def _put_on_record(self, upstream: str, ghost: Ghost) -> str | None:
        """Why not, if it cannot be."""
        await self._turn(upstream)
        try:
            listed = await self._runs(upstream, ghost, limit=_RUNS)
            if not listed:
                return _NO_RUNS
            runs = past_runs(listed)
            if not runs:
                return "its runs cannot be read"
            await self._turn(upstream)
            given = await self._servers[upstream].run_input(ghost.thread.thread_id, runs[0].run_id)
        except UpstreamError as error:
            return _problem(error)
        change = history(
            ghost,
            runs,
            given,
            upstream=upstream,
            supervisor=self._supervisor,
            now=self._service.now(),
        )
        await self._service.adopt(change)
        return None

    async def _runs(self, upstream: str, ghost: Ghost, *, limit: int) -> Sequence[ServerRun] | None:
        return await self._servers[upstream].runs(ghost.thread.thread_id, limit=limit)

    async def _turn(self, upstream: str) -> None:
        while not self._spare(upstream):  # noqa: ASYNC110 - a rate, which no event announces
            await asyncio.sleep(_PAUSE_S)


def _problem(error: UpstreamError) -> str:
    locked = isinstance(error, UpstreamRefused) and error.answered in (401, 403)
    return f"{error.message}{_WANTS_CREDENTIALS if locked else ''}"
