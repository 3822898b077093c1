"""The admin plane: what subagentctl and the console read."""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aiohttp import web

from ..core.deadlines import NO_DEADLINES, Deadlines, deadlines
from ..core.facts import task_call
from ..core.model import Event, Run, TaskQuery, TaskRecord, TaskStatus, Timestamp, timestamp
from ..core.trace_ids import span_of, start_span, trace_of
from ..errors import AmbiguousTask, BadQuery, NoSuchRoute, TaskNotFound
from ..ports import Clock, Reachability, Store
from ..service import Service
from . import problems
from .admin_audit import AuditRoutes
from .admin_budgets import BudgetRoutes
from .admin_cancel import CancelRoutes
from .admin_events import EventRoutes
from .admin_explain import ExplainRoutes
from .admin_freeze import FreezeRoutes
from .admin_guard import no_foreign_pages
from .admin_metrics import MetricsRoutes
from .admin_past import PastRoutes
from .admin_policy import PolicyRoutes
from .admin_query import truth
from .admin_reap import ReapRoutes
from .admin_sessions import SessionRoutes
from .usage_json import usage_json

_RECENT = timedelta(hours=1)
_MAX_LIMIT = 1_000
_MIN_FRAGMENT = 4
_EVENTS = 1_000
_PATIENCE_S = 0.5
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


class AdminPlane:
    """Handlers over the store. `ready` says why the sidecar is not ready, or None."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        ready: Callable[[], str | None],
        reachability: Reachability,
        cancels: CancelRoutes,
        events: EventRoutes,
        policy: PolicyRoutes,
        budgets: BudgetRoutes,
        freeze: FreezeRoutes,
        explain: ExplainRoutes,
        past: PastRoutes,
        reap: ReapRoutes,
        sessions: SessionRoutes,
        audit: AuditRoutes,
        metrics: MetricsRoutes,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._ready = ready
        self._reachability = reachability
        self._cancels = cancels
        self._events = events
        self._policy = policy
        self._budgets = budgets
        self._freeze = freeze
        self._explain = explain
        self._past = past
        self._reap = reap
        self._sessions = sessions
        self._audit = audit
        self._metrics = metrics

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_as_json, no_foreign_pages])
        app.router.add_get("/v1/tasks", self.tasks)
        app.router.add_get("/v1/tasks/{task_id}", self.task)
        self._cancels.register(app, self._resolve, self._up_to_date)
        self._events.register(app, self._resolve)
        self._budgets.register(app, self._resolve, self._up_to_date)
        self._freeze.register(app, self._up_to_date)
        self._policy.register(app)
        with_refusals = partial(self._up_to_date, refusals=True)
        self._explain.register(app, self._resolve, with_refusals)
        self._past.register(app, with_refusals)
        self._sessions.register(app, self._up_to_date)
        self._reap.register(app)
        self._audit.register(app)
        self._metrics.register(app)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        return app

    async def tasks(self, request: web.Request) -> web.Response:
        await self._up_to_date()
        page = await self._store.tasks(self._query(request))
        return _json(
            {
                "tasks": [self._task_json(record) for record in page.records],
                "next_cursor": None if page.next_after is None else _cursor(page.next_after),
                "hidden": page.hidden,
            }
        )

    async def _up_to_date(self, *, refusals: bool = False) -> None:
        """Let what just happened be entered, unless the store takes its time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await (self._service.refusals_entered() if refusals else self._service.entered())

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
            since=_since(given.get("since")),
            ended_after=None if truth("all", given.get("all", "false")) else recent,
            after=_position(given.get("cursor")),
            limit=_limit(given.get("limit", "50")),
        )

    async def task(self, request: web.Request) -> web.Response:
        await self._up_to_date()
        task_id = await self._resolve(request.match_info["task_id"])
        record = await self._store.task(task_id)
        if record is None:
            raise TaskNotFound(f"there is no task {task_id}")
        events = await self._store.events(task_id, limit=_EVENTS)
        return _json(
            {"task": self._task_json(record), "events": [event_json(event) for event in events]}
        )

    def _task_json(self, record: TaskRecord) -> dict[str, Any]:
        task = record.task
        live = task.live and task.run_id is not None
        since = self._reachability.unknown_since(task.upstream, task.task_id) if live else None
        settings = self._service.policy.lifecycle_for(task_call(task)).values if live else None
        due = NO_DEADLINES if settings is None else deadlines(record, settings)
        return task_json(record, unknown_since=since, due=due)

    async def _resolve(self, given: str) -> str:
        """The id meant by `given`: an id, or enough of its begin or end."""
        if len(given) < _MIN_FRAGMENT:
            raise BadQuery(f"'{given}' is too short for a task id; give at least 4 characters")
        fits = await self._store.tasks_named(given, limit=10)
        if given in fits:
            return given
        if not fits:
            raise TaskNotFound(f"no task's id begins or ends with '{given[:80]}'")
        if len(fits) > 1:
            raise AmbiguousTask(
                f"'{given[:80]}' fits several tasks",  # `candidates` says which
                candidates=fits,
            )
        return fits[0]

    async def healthz(self, request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        reason = self._ready()
        if reason is not None:
            return _json({"status": "not ready", "reason": reason}, status=503)
        return _json({"status": "ok", "store": await self._store.check()})


@web.middleware
async def _as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _problem(
            NoSuchRoute(f"{request.method} {request.path}: {error.reason}"), error.status
        )
    except Exception as error:  # noqa: BLE001 - the edge: whatever fails becomes an answer
        return _problem(error)


def _problem(error: Exception, status: int | None = None) -> web.Response:
    own_status, fields, body = problems.problem(error)
    headers = {name.decode(): value.decode() for name, value in fields}
    return web.Response(status=status or own_status, body=body, headers=headers)


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=json.dumps(value).encode(), content_type="application/json"
    )


def task_json(
    record: TaskRecord, *, unknown_since: Timestamp | None, due: Deadlines = NO_DEADLINES
) -> dict[str, Any]:
    """The task record of design: flat, with its runs."""
    task = record.task
    return {
        "task_id": task.task_id,
        "short_id": record.short_id,
        "agent_name": task.agent_name,
        "thread_id": task.task_id,
        "run_id": task.run_id,
        "status": task.status.value,
        "created_at": task.created_at,
        "last_checked_at": task.last_checked_at,
        "last_updated_at": task.last_updated_at,
        "polls": task.polls,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "ended_by": task.ended_by,
        "reason": task.reason,
        "purpose": task.purpose,
        "session_id": task.session_id,
        "supervisor": task.supervisor,
        "upstream": task.upstream,
        "assistant_id": task.assistant_id,
        "parent_task_id": task.parent_task_id,
        "tree_id": task.tree_id or task.task_id,
        "depth": task.depth,
        "trace_id": trace_of(task),
        "span_id": _span_id(record),
        "trace_parent": task.trace_parent,
        "in_doubt": record.in_doubt,
        "unknown_since": unknown_since,
        "queue_deadline": due.queue,
        "run_deadline": due.run,
        "total_deadline": due.total,
        "expires_at": due.expires_at,
        "runs": [_run_json(run, record) for run in record.runs],
        "superseded_run_ids": [run.run_id for run in record.runs if run.superseded_by],
        "usage": usage_json(record.usage),
    }


def _span_id(record: TaskRecord) -> str:
    """That of the current run; of the start while there is no run."""
    current = [run for run in record.runs if run.run_id == record.task.run_id]
    return span_of(current[0]) if current else start_span(record.task.task_id)


_ADDED_UP = frozenset({"tokens", "cost_micro_usd", "unpriced"})
"""What the books keep of a run's usage for counting; the usage itself is told in full."""


def _run_json(run: Run, record: TaskRecord) -> dict[str, Any]:
    used = [entry for entry in record.usage if entry.run_id == run.run_id]
    shown = {key: value for key, value in asdict(run).items() if key not in _ADDED_UP}
    return {**shown, "usage": usage_json(used)}


def event_json(event: Event) -> dict[str, Any]:
    return {**asdict(event), "detail": dict(event.detail)}


def _statuses(text: str | None) -> frozenset[TaskStatus]:
    if not text:
        return frozenset()
    known = {status.value: status for status in TaskStatus}
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in known:
            raise BadQuery(f"status: '{word[:80]}' is none of {', '.join(known)}")
    return frozenset(known[word] for word in words)


def _since(text: str | None) -> str | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise BadQuery(f"since: '{text[:80]}' is not an ISO-8601 time") from error


def _limit(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if not 1 <= number <= _MAX_LIMIT:
        raise BadQuery(f"limit: '{text[:80]}' is not a number from 1 to {_MAX_LIMIT}")
    return number


def _cursor(position: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(cursor: str | None) -> tuple[str, str] | None:
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, task_id = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, binascii.Error, TypeError, RecursionError) as error:
        raise BadQuery("cursor: not one of ours; start again without it") from error
    if not all(isinstance(part, str) and part.isascii() for part in (created_at, task_id)):
        raise BadQuery("cursor: not one of ours; start again without it")
    return created_at, task_id
