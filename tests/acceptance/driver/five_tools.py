"""The matrix: every story with every client and update strategy, all at the same time."""

import asyncio
import functools
import uuid
from dataclasses import dataclass, field
from typing import Any

from deepagents import AsyncSubAgent
from tests.acceptance.driver.play import Play
from tests.acceptance.driver.recording import outcome, unbroken
from tests.acceptance.driver.scenarios import STORIES
from tests.acceptance.driver.server import LangGraphServer, SelfHostedServer, Server
from tests.acceptance.driver.supervisor import Supervisor
from tests.acceptance.rig.asking import plain_http
from tests.acceptance.rig.gates import Gatekeeper, gatekeeper
from tests.acceptance.rig.matrix import scenario_names
from tests.acceptance.rig.truth import RUN_STATUSES

Json = dict[str, Any]

SCENARIO_LIMIT = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Where the supervisors send (`url`, with `headers`), where the truth is (`server`), what keeps
    records (`admin`)."""

    kind: str
    url: str
    server: str
    admin: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


async def record(side: Side) -> Json:
    """Scenario name -> its recording."""
    names = scenario_names(side.kind)
    async with gatekeeper() as gates, plain_http(side.server) as http:
        server: Server = (
            LangGraphServer(http) if side.kind == "langgraph" else SelfHostedServer(http)
        )
        recordings = await asyncio.gather(
            *(unbroken(functools.partial(_scenario, name, side, server, gates)) for name in names)
        )
    return dict(zip(names, recordings, strict=True))


async def _scenario(name: str, side: Side, server: Server, gates: Gatekeeper) -> Json:
    client, strategy, agent = name.split("/")
    spec = AsyncSubAgent(
        name=f"the-{agent}", description="A subagent.", graph_id=agent, url=side.url
    )
    spec["headers"] = side.headers
    spec["update_strategy"] = "enqueue" if strategy == "enqueue" else "interrupt"
    thread_id = str(uuid.uuid4())
    play = Play(
        name=name.replace("/", "-"),
        supervisor=Supervisor([spec], sync=client == "sync", thread_id=thread_id),
        subagent=spec,
        server=server,
        gates=gates,
    )
    async with asyncio.timeout(SCENARIO_LIMIT):
        await STORIES[agent](play)
    expected: Json = {"session_id": thread_id, "depth": 0, "parent_task_id": None}
    if agent == "failing" and server.cancel_flips_ended:
        # The story ends with a cancel, which this server takes for an end of its own.
        expected |= {"status": "error", RUN_STATUSES: ["error", "error"]}
    return await outcome(play, admin=side.admin, expected=expected)
