"""`GET /v1/policy/explain`: which rules a start meets now, by which numbers, and its answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from ..core.admission import default_session
from ..core.matching import Call
from ..core.model import TaskRecord
from ..core.past import DecisionQuery
from ..core.past_words import call_words, decision_words
from ..core.principal import ANONYMOUS
from ..core.routing import UpstreamNames, choose
from ..core.standing import (
    START,
    admitted_words,
    calls_about,
    lifecycle_words,
    rules_words,
    verdict_words,
)
from ..errors import AmbiguousUpstream, BadQuery, NoSuchUpstream, TaskNotFound
from ..ports import Clock, Store
from ..service import Service
from . import admin_query as query
from .admin_json import answer

Resolve = Callable[[str], Awaitable[str]]
"""The id meant by an id or a part of one. Raises TaskNotFound, AmbiguousTask."""

UpToDate = Callable[[], Awaitable[None]]

_CALL = frozenset({"agent", "session", "supervisor", "upstream", "depth"})
_KNOWN = _CALL | {"task"}
_DEEPEST = 1_000
_REFUSALS = 5
_LOOKS = 10
"""Pages of decisions that are looked through for those."""


class ExplainRoutes:
    """Handlers; `register` adds them."""

    def __init__(
        self, *, service: Service, store: Store, clock: Clock, upstreams: UpstreamNames
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._upstreams = upstreams

    def register(self, app: web.Application, resolve: Resolve, up_to_date: UpToDate) -> None:
        async def explain(request: web.Request) -> web.Response:
            given = request.query
            query.known(given, _KNOWN)
            await up_to_date()
            if task := given.get("task"):
                if given.keys() & _CALL:
                    raise BadQuery("give a task, or what a start would say, not both")
                return answer(await self._of_task(await resolve(task)))
            return answer(await self._of_call(await self._call(given), given))

        app.router.add_get("/v1/policy/explain", explain)

    async def _of_task(self, task_id: str) -> dict[str, Any]:
        record = await self._store.task(task_id)
        if record is None:
            raise TaskNotFound(f"there is no task {task_id}")
        first = record.runs[0] if record.runs else None
        calls = calls_about(record.task, first)
        refusals = DecisionQuery(thread_id=task_id, limit=_REFUSALS)
        return {**await self._explained(calls, refusals), "task": _task_words(record)}

    async def _of_call(self, call: Call, given: Mapping[str, str]) -> dict[str, Any]:
        refusals = DecisionQuery(
            session=given.get("session"), agent=given.get("agent"), limit=_REFUSALS
        )
        return {**await self._explained({START: call}, refusals), "task": None}

    async def _explained(
        self, calls: Mapping[str, Call], refusals: DecisionQuery
    ) -> dict[str, Any]:
        policy, now = self._service.policy, self._clock.now()
        verdicts = {
            kind: await self._store.explain(call, policy, now) for kind, call in calls.items()
        }
        call = calls[START]
        return {
            "call": call_words(call),
            "rules": rules_words(verdicts),
            "lifecycle": lifecycle_words(policy, call),
            "verdicts": {kind: verdict_words(verdict) for kind, verdict in verdicts.items()},
            "decisions": await self._decisions(refusals),
        }

    async def _decisions(self, wanted: DecisionQuery) -> list[dict[str, Any]]:
        """The newest there are, not further back than a bounded look."""
        found: list[dict[str, Any]] = []
        after: int | None = None
        for _ in range(_LOOKS):
            page = await self._store.decisions(
                DecisionQuery(
                    thread_id=wanted.thread_id,
                    session=wanted.session,
                    agent=wanted.agent,
                    after=after,
                    limit=wanted.limit - len(found),
                )
            )
            found += [decision_words(decision) for decision in page.decisions]
            after = page.next_after
            if after is None or len(found) == wanted.limit:
                break
        return found

    async def _call(self, given: Mapping[str, str]) -> Call:
        """What is not said is as it would be for a start that does not say it."""
        agent = given.get("agent")
        if not agent:
            raise BadQuery("say which: a task, or at least an agent")
        supervisor = given.get("supervisor") or ANONYMOUS.supervisor
        session = given.get("session") or default_session(supervisor)
        record = await self._store.task(session)
        parent = record.task if record is not None and record.task.run_id else None
        depth = 0 if parent is None else parent.depth + 1
        if text := given.get("depth"):
            depth = query.number("depth", text, 0, _DEEPEST)
        return Call(
            agent=agent,
            upstream=self._upstream(agent, given.get("upstream")),
            supervisor=supervisor,
            session=session,
            depth=depth,
            tree_id=None if parent is None else parent.tree_id or parent.task_id,
        )

    def _upstream(self, agent: str, said: str | None) -> str:
        """Raises NoSuchUpstream and BadQuery, in the words of somebody who asks here."""
        names = self._upstreams.names
        if said and said not in names:
            raise NoSuchUpstream(
                f"there is no upstream '{said[:80]}'; there are: {', '.join(names)}"
            )
        try:
            return said or choose(self._upstreams, agents=(agent,))
        except AmbiguousUpstream as error:
            raise BadQuery(
                f"upstream: say which ({', '.join(names)}); none of them lists the agent "
                f"'{agent[:80]}', and there is no default"
            ) from error


def _task_words(record: TaskRecord) -> dict[str, Any]:
    task = record.task
    return {
        "task_id": task.task_id,
        "short_id": record.short_id,
        "agent_name": task.agent_name,
        "session_id": task.session_id,
        "status": task.status.value,
        "admitted": [
            {
                "run_id": run.run_id,
                "kind": run.kind,
                "at": run.created_at,
                "asked": admitted_words(run.admitted),
            }
            for run in record.runs
        ],
    }
