"""Who may do what by the admin plane: a line for each route, and none is served without one.

Reading is for viewers, though some questions are asked by POST; what ends, holds up or lets in work
is for operators; what decides over policies and over who gets in is for admins. All that is not
reading is an act, and goes on record (admin_acts.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from ..core.roles import Role
from .admin_reap import only_asks


@dataclass(frozen=True, slots=True)
class Access:
    """`role` is the least that is needed, None: no token is. `act` is what it is called on record,
    None: it changes nothing. `about` are the keys of the body that say what it was about; a dot
    leads into an object. `asks` tells requests that change nothing from the others."""

    role: Role | None
    act: str | None = None
    about: tuple[str, ...] = ()
    asks: Callable[[web.Request], bool] | None = None


OPEN = Access(None)
READ = Access(Role.VIEWER)


def _operator(act: str, *about: str, asks: Callable[[web.Request], bool] | None = None) -> Access:
    return Access(Role.OPERATOR, act, about, asks)


_TOOL = ("session", "arguments.task_id", "arguments.subagent_type")
_MANY = ("session", "agent", "upstream", "supervisor", "all", "task_ids", "reason")
_AMOUNTS = ("usd", "tokens", "run_time", "runs")

ACCESS: Mapping[tuple[str, str], Access] = {
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): READ,
    ("GET", "/openapi.json"): READ,
    ("GET", "/v1/tasks"): READ,
    ("GET", "/v1/tasks/{task_id}"): READ,
    ("GET", "/v1/tasks/{task_id}/spans"): READ,
    ("POST", "/v1/tasks/{task_id}/cancel"): _operator("cancel", "reason"),
    ("POST", "/v1/cancel"): _operator("cancel_many", *_MANY),
    ("GET", "/v1/sessions"): READ,
    ("POST", "/v1/sessions/{session_id}/end"): _operator("end_session", "reason"),
    ("GET", "/v1/traces/{id}"): READ,
    ("GET", "/v1/events"): READ,
    ("GET", "/v1/starts"): READ,
    ("GET", "/v1/decisions"): READ,
    ("GET", "/v1/report"): READ,
    ("GET", "/v1/policy"): READ,
    ("GET", "/v1/policy/explain"): READ,
    ("POST", "/v1/policy/reload"): Access(Role.ADMIN, "reload_policy"),
    ("GET", "/v1/budgets"): READ,
    ("POST", "/v1/budgets/raise"): _operator("raise_budget", "rule", "scope_id", *_AMOUNTS),
    ("GET", "/v1/freeze"): READ,
    ("POST", "/v1/freeze"): _operator("freeze", "scope", "id", "reason"),
    ("POST", "/v1/unfreeze"): _operator("unfreeze", "scope", "id"),
    ("POST", "/v1/reap"): _operator("reap", asks=only_asks),
    ("GET", "/v1/audit"): READ,
    ("POST", "/v1/audit"): _operator("adopt", "upstream", "adopt"),
    ("GET", "/v1/keys"): READ,
    ("POST", "/v1/keys"): Access(
        Role.ADMIN, "make_key", ("name", "agents", "expires", "every_task")
    ),
    ("POST", "/v1/keys/{key}/revoke"): Access(Role.ADMIN, "revoke_key", ("all",)),
    ("POST", "/v1/tools/{tool}"): _operator("use_tool", *_TOOL),
}


def access_to(method: str, path: str) -> Access | None:
    """`path` as the route has it, with its parameters in braces."""
    return ACCESS.get(("GET" if method == "HEAD" else method, path))


def access_of(request: web.Request) -> Access | None:
    """What a request needs; None where there is no such route. What the route does is told by the
    route that will be served, never by the text of the target."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    found = access_to(request.method, resource.canonical)
    if found is None:
        return Access(Role.ADMIN, "unknown")  # `check_routes` lets no such route be
    return READ if found.asks is not None and found.asks(request) else found


def check_routes(app: web.Application) -> None:
    """Raises LookupError for a route that the table does not know: a mistake of whoever added
    it, found before anything is served."""
    for route in app.router.routes():
        path = "" if route.resource is None else route.resource.canonical
        if access_to(route.method, path) is None:
            raise LookupError(f"{route.method} {path} has no line in ACCESS (admin_access.py)")
