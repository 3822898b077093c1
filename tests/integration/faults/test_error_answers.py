"""Errors of the upstream reach the client to the byte, by every route. (row 3)"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.contract.agent_client import random_id, run_of
from tests.integration.faults.rig import Rig, running_rig

from subagent_sidecar.testing import FaultKind

STATUSES = [400, 401, 402, 403, 404, 409, 410, 422, 429, 500, 501, 502, 503, 504, 507, 529]

BODIES = [
    b'{"detail": "no \\u00e9 more",  "odd":1.0}',
    b"<html>not JSON</html>",
    b"\xff\xfe not UTF-8",
    b"",
]

AS_IT_COMES = {"coalesce": "0s", "start_timeout": "2s"}
"""Every GET asks the upstream itself."""

ROUTES = [
    ("POST", "/threads", {}),
    ("GET", "/threads/{thread}", None),
    ("POST", "/threads/search", {}),
    ("GET", "/threads/{thread}/state", None),
    ("DELETE", "/threads/{thread}", None),
    ("POST", "/threads/{thread}/runs", run_of("researcher")),
    ("POST", "/threads/{thread}/runs/stream", run_of("researcher")),
    ("POST", "/threads/{thread}/runs/wait", run_of("researcher")),
    ("GET", "/threads/{thread}/runs", None),
    ("GET", "/threads/{thread}/runs/{run}", None),
    ("GET", "/threads/{thread}/runs/{run}/join", None),
    ("GET", "/threads/{thread}/runs/{run}/stream", None),
    ("POST", "/threads/{thread}/runs/{run}/cancel", None),
    ("POST", "/runs", run_of("researcher")),
    ("POST", "/runs/batch", [run_of("researcher")]),
    ("POST", "/runs/cancel", {"status": "all"}),
    ("POST", "/runs/crons", run_of("researcher")),
    ("GET", "/custom/route", None),
]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Told:
    status: int
    body: bytes
    headers: dict[str, str | None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with running_rig(tmp_path_factory.mktemp("errors"), config=AS_IT_COMES) as parts:
        yield parts


@pytest.mark.parametrize(
    ("method", "path", "body"), ROUTES, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_an_error_passes_to_the_byte(rig: Rig, method: str, path: str, body: object) -> None:
    path = path.format(thread=random_id(), run=random_id())
    for number, status in enumerate(STATUSES):
        error = BODIES[number % len(BODIES)]
        given = {"Retry-After": "17", "Content-Type": "text/weird", "X-Request-Id": "theirs"}
        rig.server.faults.add(
            FaultKind.STATUS, path, method=method, status=status, body=error, headers=given
        )
        answer = await rig.client.call(method, path, body)

        told = {name: answer.headers.get(name.lower()) for name in given}
        assert Told(answer.status, answer.body, told) == Told(status, error, dict(given))


async def test_after_all_those_errors_no_run_is_on_record_and_nothing_is_live(rig: Rig) -> None:
    assert len(rig.server.ledger) == 0
    await rig.books_agree()
    tasks = await rig.tasks()
    assert {(task["status"], len(task["runs"])) for task in tasks} <= {("error", 0)}
