"""A sidecar whose supervisors are told apart, and a fake agent server behind it."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import settings_for
from tests.support.supervisors import EVERY_TASK, SupervisorClient, told_apart

from subagent_sidecar import compose
from subagent_sidecar.testing import FakeAgentServer


@dataclass(frozen=True)
class Two:
    """`ann` and `bob` see their own tasks, `operator` those of all."""

    server: FakeAgentServer
    ann: SupervisorClient
    bob: SupervisorClient
    operator: SupervisorClient
    admin: AgentClient


@asynccontextmanager
async def two(
    folder: Path,
    policy: Mapping[str, Any] | None = None,
    *,
    more_upstreams: Sequence[str] = (),
    **config: object,
) -> AsyncIterator[Two]:
    path = folder / "policy.yaml"
    path.write_text(json.dumps({"version": 1, **(policy or {})}), "utf-8")
    values = {"drain_timeout": "100ms", "cancel_verify_for": "100ms", "policy": str(path), **config}
    async with FakeAgentServer() as server:
        first = f"main={server.url}" if more_upstreams else server.url
        found = settings_for(first, *more_upstreams, **values)
        listeners = compose.bind(found)
        async with (
            compose.running(found, listeners) as plane,
            told_apart(plane) as url,
            agent_client(url) as client,
            agent_client(listeners.admin_url) as admin,
        ):
            ann, bob, operator = (
                SupervisorClient(client, name) for name in ("ann", "bob", EVERY_TASK)
            )
            yield Two(server, ann, bob, operator, admin)
