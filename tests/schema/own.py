"""The sidecar itself, held to what it says of itself."""

import asyncio
from typing import Any

from tests.contract.agent_client import AgentClient
from tests.integration.budgets.rig import Desk
from tests.schema.attack import CHECKS, Attack, Found, only, without_defaults
from tests.support.openapi import Document

POLICY: dict[str, Any] = {
    "limits": [
        {"name": "fan-out", "concurrent": 5, "per": "session"},
        {"name": "watched", "starts": 1, "per": "session", "window": "1h", "mode": "observe"},
    ],
    "budgets": [{"name": "usd", "usd": 5, "tokens": 2_000_000, "per": "session"}],
    "lifecycle": [{"name": "clocks", "run": "2h", "lease": "5m", "heartbeat": "1m"}],
}
_ENDS = {"query.follow": "false"}
"""An event stream that is followed has no end."""


async def described(admin: AgentClient) -> Document:
    """What the admin plane says of itself; every status has to be told of."""
    document: Document = (await admin.call("GET", "/openapi.json")).json
    return without_defaults(document)


async def tools_described(client: AgentClient, document: Document) -> Document:
    """The tools of the data plane: arguments as their own list says, answers as those of the admin
    plane's tools."""
    answers = document["paths"]["/v1/tools/{tool}"]["post"]["responses"]
    told = (await client.call("GET", "/sidecar/tools")).json["tools"]
    tools = [each["function"] for each in told]
    paths = {
        f"/sidecar/tools/{tool['name']}": {
            "post": {
                "operationId": tool["name"],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": tool["parameters"]}},
                },
                "responses": answers,
            }
        }
        for tool in tools
    }
    return {**document, "paths": paths}


async def history(at: Desk) -> dict[str, str]:
    """Something to ask for, and where parameters find it."""
    ended, _ = await at.start("quick")
    await at.task_when(ended, status="success")
    live, _ = await at.start("long")
    return {"task_id": ended, "session_id": "s1", "path.id": live}


async def attacks(at: Desk, examples: int, seed: int | None = None) -> dict[str, Found]:
    """All as a stranger would ask, then what has ids with real ones, then the tools."""
    document = await described(at.admin)
    tools = await tools_described(at.client, document)
    with_ids = only(document, [path for path in document["paths"] if "{" in path])
    real = {**_ENDS, **await history(at)}
    rounds: list[tuple[str, Document, Attack]] = [
        ("the admin plane", document, _of_admin(at, examples, seed, _ENDS)),
        ("what is on record", with_ids, _of_admin(at, examples, seed, real)),
        ("the tools", tools, Attack(url=at.client.url, examples=examples, seed=seed)),
    ]
    return {name: await asyncio.to_thread(attack.on, attacked) for name, attacked, attack in rounds}


def _of_admin(at: Desk, examples: int, seed: int | None, parameters: dict[str, str]) -> Attack:
    checks = (*CHECKS, "unsupported_method")
    return Attack(
        url=at.admin.url, examples=examples, seed=seed, checks=checks, parameters=parameters
    )
