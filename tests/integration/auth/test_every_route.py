"""There is one gate, and everything is behind it: asked on a running sidecar, route by route. (One
of the incidents behind issue 9: a guard that only its unit tests ever called.)"""

import ast
import inspect
import textwrap
from typing import Any

import pytest
from tests.integration.auth.rig import ask, from_clients, guarded, request
from tests.integration.http.rig import Front
from tests.integration.http.wire import Answer, Wire

from subagent_sidecar.core.keys import PREFIX
from subagent_sidecar.core.toolset import NAMES
from subagent_sidecar.core.wire import Act, recognise
from subagent_sidecar.proxy import own_routes
from subagent_sidecar.proxy.incoming import Limits
from subagent_sidecar.proxy.session_routes import SessionRoutes

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PASSED_ON = (
    "/threads", "/threads/search", "/threads/t", "/threads/t/state", "/threads/t/history",
    "/threads/t/stream", "/threads/t/stream/events", "/threads/t/commands", "/threads/t/runs",
    "/threads/t/runs/stream", "/threads/t/runs/wait", "/threads/t/runs/crons",
    "/threads/t/runs/r", "/threads/t/runs/r/join", "/threads/t/runs/r/stream",
    "/threads/t/runs/r/cancel", "/threads/t/runs/r/protocol", "/runs", "/runs/stream",
    "/runs/wait", "/runs/batch", "/runs/cancel", "/runs/crons", "/runs/crons/c", "/a2a/a",
    "/mcp", "/assistants", "/assistants/a", "/assistants/search", "/store/items", "/info", "/ok",
    "/",
    "/to/default/threads", "/to/default/sidecar/health", "/%73idecar/health", "//sidecar/health",
    "/sidecar", "/sidecar/", "/sidecar/health/", "/sidecar/health/x", "/sidecar/Health",
    "/sidecar/health;x", "/sidecar/health%3f", "/sidecar/nope", "http://a/sidecar/health",
)  # fmt: skip
LIMITS = Limits(
    start_timeout_s=1, answer_timeout_s=1, body_timeout_s=1, max_body=1, inspect_limit=1
)
NOTHING: Any = None
SESSIONS = SessionRoutes(service=NOTHING, store=NOTHING, clock=NOTHING, limits=LIMITS)
OWN = {
    "SESSIONS": [f"/sidecar/sessions/s/{rest or ''}" for _, rest in SESSIONS._routes],
    "OTLP": ["/sidecar/otlp/v1/traces", "/sidecar/otlp"],
    "TOOLS": ["/sidecar/tools", *(f"/sidecar/tools/{name}" for name in NAMES)],
    "MCP": ["/sidecar/mcp"],
}
"""By the names that OwnRoutes.serve knows them by."""
UPGRADE = (
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip
STRANGER = f"{PREFIX}{'a' * 10}_{'b' * 52}"
PATHS = [*PASSED_ON, *(path for paths in OWN.values() for path in paths)]


def test_no_kind_of_request_is_left_out() -> None:
    seen = {recognise(method, path).act for method in METHODS for path in PASSED_ON}
    assert seen == set(Act)


def test_no_route_of_our_own_is_left_out() -> None:
    code = ast.parse(textwrap.dedent(inspect.getsource(own_routes.OwnRoutes.serve)))
    names = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    assert {name for name in names if name.isupper()} - {"HEALTH", "_JSON"} == set(OWN)


async def answers(front: Front, *fields: str) -> dict[str, Answer]:
    """Of every method on every path."""
    found = {}
    async with Wire(front.port) as wire:
        for method in METHODS:
            for path in PATHS:
                line = f"{method} {path}"
                found[line] = await wire.ask(request(line, *fields))
    return found


@pytest.mark.parametrize(
    "field",
    [
        "X-Nothing: x",
        f"x-subagent-key: {STRANGER}",
        f"x-api-key: {STRANGER}",
        f"Authorization: Bearer {STRANGER}",
        "x-api-key: lsv2_pt_another_kind_of_key",
    ],
)
async def test_nothing_is_served_without_a_good_key(field: str) -> None:
    async with guarded() as (server, front, _):
        found = await answers(front, field)
        odd = {line: answer for line, answer in found.items() if answer.status != 401}
        assert odd == {}
        challenges = {answer.get(b"www-authenticate") for answer in found.values()}
        assert challenges == {b'Bearer realm="subagent-sidecar"'}
        assert from_clients(server) == []


async def test_with_a_key_all_of_it_is() -> None:
    async with guarded() as (server, front, key):
        found = await answers(front, f"x-subagent-key: {key}", "Content-Length: 0")
        assert [line for line, answer in found.items() if answer.status == 401] == []
        assert len(from_clients(server)) > len(METHODS) * 20


async def test_web_sockets_need_a_key_too() -> None:
    async with guarded() as (server, front, _):
        for path in ("/threads/t/stream/events", "/anything", "/sidecar/mcp", "/sidecar/health/x"):
            assert (await ask(front, f"GET {path}", *UPGRADE)).status == 401
        assert from_clients(server) == []


async def test_health_alone_is_everybodys_and_says_nothing_else() -> None:
    async with guarded() as (server, front, _):
        for line in ("GET /sidecar/health", "GET /sidecar/health?x=/threads"):
            answer = await ask(front, line)
            assert (answer.status, answer.body) == (200, b'{"status": "ok"}')
        assert (await ask(front, "HEAD /sidecar/health")).status == 200
        assert from_clients(server) == []
