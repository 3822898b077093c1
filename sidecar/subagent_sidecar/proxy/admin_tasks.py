"""GET /v1/tasks and /v1/tasks/{task_id}; and what people mean by a part of a task's id."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from ..core.deadlines import NO_DEADLINES, deadlines
from ..core.facts import task_call
from ..core.model import TaskQuery, TaskRecord, TaskStatus, timestamp
from ..core.trace_links import TraceLinks, filled
from ..errors import AmbiguousTask, BadQuery, TaskNotFound
from ..ports import Clock, Reachability, Store
from ..service import Service
from .admin_json import answer
from .admin_query import cursor, moment, number, texts, truth
from .no_task import what_it_is
from .task_json import event_json, task_json

_RECENT = timedelta(hours=1)
_MAX_LIMIT = 1_000
_MIN_FRAGMENT = 4
_EVENTS = 1_000
_FILTERS = frozenset(
    {
        "session",
        "agent",
        "status",
        "upstream",
        "supervisor",
        "since",
        "all",
        "limit",
        "cursor",
    }
)


class TaskRoutes:
    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        reachability: Reachability,
        links: TraceLinks,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._reachability = reachability
        self._links = links

    def register(self, app: web.Application, up_to_date: Callable[[], Awaitable[None]]) -> None:
        self._up_to_date = up_to_date
        app.router.add_get("/v1/tasks", self.tasks)
        app.router.add_get("/v1/tasks/{task_id}", self.task)

    async def tasks(self, request: web.Request) -> web.Response:
        await self._up_to_date()
        page = await self._store.tasks(self._query(request))
        return answer(
            {
                "tasks": [self.shown(record) for record in page.records],
                "next_cursor": cursor(page.next_after),
                "hidden": page.hidden,
            }
        )

    def _query(self, request: web.Request) -> TaskQuery:
        given = request.query
        for unknown in given.keys() - _FILTERS:
            raise BadQuery(f"'{unknown}' is not a filter; there are: {', '.join(sorted(_FILTERS))}")
        recent = timestamp(self._clock.now() - _RECENT)
        return TaskQuery(
            session_id=given.get("session"),
            supervisor=given.get("supervisor"),
            agent_name=given.get("agent"),
            upstream=given.get("upstream"),
            statuses=_statuses(given.get("status")),
            since=moment("since", given.get("since")),
            ended_after=None if truth("all", given.get("all", "false")) else recent,
            after=_position(given.get("cursor")),
            limit=number("limit", given.get("limit", "50"), 1, _MAX_LIMIT),
        )

    async def task(self, request: web.Request) -> web.Response:
        await self._up_to_date()
        task_id = await self.resolve(request.match_info["task_id"])
        record = await self._store.task(task_id)
        if record is None:
            raise TaskNotFound(f"there is no task {task_id}")
        events = await self._store.events(task_id, limit=_EVENTS)
        return answer(
            {
                "task": self.shown(record),
                "events": [event_json(event) for event in events],
                "links": filled(self._links, record),
            }
        )

    def shown(self, record: TaskRecord) -> dict[str, Any]:
        """The task as every answer has it."""
        task = record.task
        live = task.live and task.run_id is not None
        since = self._reachability.unknown_since(task.upstream, task.task_id) if live else None
        settings = self._service.policy.lifecycle_for(task_call(task)).values if live else None
        due = NO_DEADLINES if settings is None else deadlines(record, settings)
        return task_json(record, unknown_since=since, due=due)

    async def resolve(self, given: str) -> str:
        """The id meant by `given`: an id, or enough of its begin or end."""
        if len(given) < _MIN_FRAGMENT:
            raise BadQuery(f"'{given}' is too short for a task id; give at least 4 characters")
        fits = await self._store.tasks_named(given, limit=10)
        if given in fits:
            return given
        if not fits:
            raise TaskNotFound(await what_it_is(self._store, given))
        if len(fits) > 1:
            raise AmbiguousTask(
                f"'{given[:80]}' fits several tasks",  # `candidates` says which
                candidates=fits,
            )
        return fits[0]


def _statuses(text: str | None) -> frozenset[TaskStatus]:
    if not text:
        return frozenset()
    known = {status.value: status for status in TaskStatus}
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in known:
            raise BadQuery(f"status: '{word[:80]}' is none of {', '.join(known)}")
    return frozenset(known[word] for word in words)


def _position(text: str | None) -> tuple[str, str] | None:
    """(created_at, task_id) of the last task of the page before."""
    found = texts(text, 2)
    return None if found is None else (found[0], found[1])
