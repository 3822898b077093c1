"""Tasks that an operator ends, and what their supervisors' models are told of it."""

import asyncio
import functools
import uuid
from dataclasses import dataclass
from typing import Any

from deepagents import AsyncSubAgent
from tests.acceptance.driver.play import Play
from tests.acceptance.driver.recording import unbroken
from tests.acceptance.driver.server import LangGraphServer
from tests.acceptance.driver.supervisor import Supervisor
from tests.acceptance.rig.asking import plain_http
from tests.acceptance.rig.gates import Gatekeeper, gatekeeper

Json = dict[str, Any]

_LIMIT = 120.0
_CLIENTS = ("async", "sync")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Where the supervisors send (`url`), where the truth is (`server`), where the operator is
    (`admin`), and the `reason` given there."""

    url: str
    server: str
    admin: str
    reason: str


async def record(side: Side) -> Json:
    """Client -> its recording."""
    async with gatekeeper() as gates, plain_http(side.server) as http:
        server = LangGraphServer(http)
        recordings = await asyncio.gather(
            *(unbroken(functools.partial(_story, name, side, server, gates)) for name in _CLIENTS)
        )
    return dict(zip(_CLIENTS, recordings, strict=True))


async def _story(client: str, side: Side, server: LangGraphServer, gates: Gatekeeper) -> Json:
    spec = AsyncSubAgent(name="worker", description="A subagent.", graph_id="hang", url=side.url)
    play = Play(
        name=f"explained-{client}",
        supervisor=Supervisor([spec], sync=client == "sync", thread_id=str(uuid.uuid4())),
        subagent=spec,
        server=server,
        gates=gates,
    )
    async with asyncio.timeout(_LIMIT):
        await play.start("hang", gate="first")
        await play.check()
        cancelled = await _cancelled(side, play.task_id)
        await play.stopped("first")
        await play.check()
        await play.list_all()
        runs = await play.runs()
    return {"steps": play.steps, "cancelled": cancelled, "runs": runs}


async def _cancelled(side: Side, task_id: str) -> Json:
    """What the operator is told."""
    async with plain_http(side.admin) as http:
        answer = await http.post(
            f"/v1/tasks/{task_id}/cancel", json={"reason": side.reason}, timeout=_LIMIT
        )
    told: Json = answer.raise_for_status().json()
    return told
