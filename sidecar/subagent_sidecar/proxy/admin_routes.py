"""The admin plane: what subagentctl and the console read."""

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import hdrs, web

from ..errors import NoSuchRoute, SidecarError
from ..ports import Store
from ..service import Service
from . import problems
from .admin_access import check_routes
from .admin_audit import AuditRoutes
from .admin_budgets import BudgetRoutes
from .admin_cancel import CancelRoutes
from .admin_events import EventRoutes
from .admin_explain import ExplainRoutes
from .admin_freeze import FreezeRoutes
from .admin_guard import CALLER, AdminGuard
from .admin_json import BODY_TIMEOUT, answer
from .admin_keys import KeyRoutes
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
from .catching_up import catch_up
from .tactful import is_last_for_its_upgrade


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
        keys: KeyRoutes,
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
        guard: AdminGuard,
        body_timeout_s: float,
    ) -> None:
        self._body_timeout_s = body_timeout_s
        self._up_to_date = partial(catch_up, service)
        self._store = store
        self._ready = ready
        self._tasks = tasks
        self._cancels = cancels
        self._events = events
        self._policy = policy
        self._budgets = budgets
        self._freeze = freeze
        self._keys = keys
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
        self._guard = guard

    def application(self) -> web.Application:
        """Raises LookupError for a route of which nobody has said who may ask it."""
        app = web.Application(middlewares=[_as_json, self._guard.middleware])
        app[BODY_TIMEOUT] = self._body_timeout_s
        self._tasks.register(app, self._up_to_date)
        resolve = self._tasks.resolve
        self._cancels.register(app, resolve, self._up_to_date)
        self._events.register(app, resolve)
        self._budgets.register(app, resolve, self._up_to_date)
        self._freeze.register(app, self._up_to_date)
        self._keys.register(app)
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
        check_routes(app)
        app.on_response_prepare.append(_without_versions)
        app.on_response_prepare.append(_last_for_its_upgrade)
        return app

    async def healthz(self, request: web.Request) -> web.Response:
        return answer({"status": "ok"})

    async def readyz(self, request: web.Request) -> web.Response:
        """Why not, and what the store says of itself, are told to those alone who may know."""
        if CALLER in request:
            return await self._readyz()
        try:
            told = await self._readyz()
        except SidecarError as error:
            return answer({"status": "not ready"}, status=error.status)
        return answer({"status": "ok" if told.status == 200 else "not ready"}, status=told.status)

    async def _readyz(self) -> web.Response:
        reason = self._ready()
        if reason is not None:
            return answer({"status": "not ready", "reason": reason}, status=503)
        return answer({"status": "ok", "store": await self._store.check()})


async def _without_versions(request: web.Request, response: web.StreamResponse) -> None:
    """aiohttp tells everybody its own version, and that of Python."""
    response.headers.popall(hdrs.SERVER, None)


async def _last_for_its_upgrade(request: web.Request, response: web.StreamResponse) -> None:
    if is_last_for_its_upgrade(request):
        response.force_close()
        response.headers[hdrs.CONNECTION] = "close"


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
