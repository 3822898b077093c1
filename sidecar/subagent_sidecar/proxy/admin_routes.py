"""The admin plane: what subagentctl and the console read."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from aiohttp import web

from ..errors import NoSuchRoute
from ..ports import Store
from ..service import Service
from . import problems
from .admin_audit import AuditRoutes
from .admin_budgets import BudgetRoutes
from .admin_cancel import CancelRoutes
from .admin_events import EventRoutes
from .admin_explain import ExplainRoutes
from .admin_freeze import FreezeRoutes
from .admin_guard import no_foreign_pages
from .admin_json import BODY_TIMEOUT, answer
from .admin_metrics import MetricsRoutes
from .admin_openapi import OpenApiRoutes
from .admin_past import PastRoutes
from .admin_policy import PolicyRoutes
from .admin_reap import ReapRoutes
from .admin_report import ReportRoutes
from .admin_sessions import SessionRoutes
from .admin_spans import SpanRoutes
from .admin_tasks import TaskRoutes
from .admin_tools import AdminToolRoutes
from .admin_traces import TraceRoutes

_PATIENCE_S = 0.5


class AdminPlane:
    """Handlers over the store. `ready` says why the sidecar is not ready, or None."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        ready: Callable[[], str | None],
        tasks: TaskRoutes,
        cancels: CancelRoutes,
        events: EventRoutes,
        policy: PolicyRoutes,
        budgets: BudgetRoutes,
        freeze: FreezeRoutes,
        explain: ExplainRoutes,
        past: PastRoutes,
        reap: ReapRoutes,
        sessions: SessionRoutes,
        spans: SpanRoutes,
        audit: AuditRoutes,
        tools: AdminToolRoutes,
        metrics: MetricsRoutes,
        traces: TraceRoutes,
        report: ReportRoutes,
        body_timeout_s: float,
    ) -> None:
        self._body_timeout_s = body_timeout_s
        self._service = service
        self._store = store
        self._ready = ready
        self._tasks = tasks
        self._cancels = cancels
        self._events = events
        self._policy = policy
        self._budgets = budgets
        self._freeze = freeze
        self._explain = explain
        self._past = past
        self._reap = reap
        self._sessions = sessions
        self._spans = spans
        self._audit = audit
        self._tools = tools
        self._metrics = metrics
        self._traces = traces
        self._report = report

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_as_json, no_foreign_pages])
        app[BODY_TIMEOUT] = self._body_timeout_s
        self._tasks.register(app, self._up_to_date)
        resolve = self._tasks.resolve
        self._cancels.register(app, resolve, self._up_to_date)
        self._events.register(app, resolve)
        self._budgets.register(app, resolve, self._up_to_date)
        self._freeze.register(app, self._up_to_date)
        self._policy.register(app)
        with_refusals = partial(self._up_to_date, refusals=True)
        self._explain.register(app, resolve, with_refusals)
        self._past.register(app, with_refusals)
        self._sessions.register(app, self._up_to_date)
        self._spans.register(app, resolve, self._up_to_date)
        self._reap.register(app)
        self._audit.register(app)
        self._tools.register(app)
        self._metrics.register(app)
        self._traces.register(app, resolve, with_refusals, self._tasks.shown)
        self._report.register(app, with_refusals)
        OpenApiRoutes().register(app)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        return app

    async def _up_to_date(self, *, refusals: bool = False) -> None:
        """Let what just happened be entered, unless the store takes its time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await (self._service.refusals_entered() if refusals else self._service.entered())

    async def healthz(self, request: web.Request) -> web.Response:
        return answer({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        reason = self._ready()
        if reason is not None:
            return answer({"status": "not ready", "reason": reason}, status=503)
        return answer({"status": "ok", "store": await self._store.check()})


@web.middleware
async def _as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        found = _problem(
            NoSuchRoute(
                f"{request.method} {request.path[:200]}: {error.reason}; what there is stands in "
                "/openapi.json"
            ),
            error.status,
        )
        if isinstance(error, web.HTTPMethodNotAllowed):
            found.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return found
    except ConnectionError:
        raise  # there is no one left to answer
    except Exception as error:  # noqa: BLE001 - the edge: whatever fails becomes an answer
        return _problem(error)


def _problem(error: Exception, status: int | None = None) -> web.Response:
    own_status, fields, body = problems.problem(error)
    headers = {name.decode(): value.decode() for name, value in fields}
    return web.Response(status=status or own_status, body=body, headers=headers)
