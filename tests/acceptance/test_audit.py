"""Tasks that a real server was given past the sidecar: found, adopted, and seen to their end."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from tests.acceptance.rig.asking import eventually, plain_http
from tests.acceptance.rig.services import Service
from tests.integration.http.rig import LOCAL, settings_for

from subagent_sidecar import compose
from subagent_sidecar.testing import JumpingClock

PATIENCE_S = 120.0


@asynccontextmanager
async def admin_plane(server: str, clock: JumpingClock) -> AsyncIterator[httpx.AsyncClient]:
    """Of a sidecar in this process, whose clock can be set ahead: nothing is missed before it is a
    minute old."""
    found = settings_for(server, drain_timeout="100ms")
    listeners = compose.bind(found)
    async with (
        compose.running(found, listeners, clock=clock),
        plain_http(f"http://{LOCAL}:{listeners.admin.getsockname()[1]}") as admin,
    ):
        yield admin


async def started(server: httpx.AsyncClient, text: str, metadata: Mapping[str, str]) -> str:
    """As deepagents does it."""
    thread_id: str = (await _post(server, "/threads", {"metadata": metadata}))["thread_id"]
    said = {"messages": [{"role": "user", "content": text}]}
    await _post(server, f"/threads/{thread_id}/runs", {"assistant_id": "researcher", "input": said})
    return thread_id


async def _post(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> Any:
    return (await client.post(path, json=body)).raise_for_status().json()


async def test_what_went_past_the_sidecar_is_adopted_and_followed(langgraph: Service) -> None:
    clock = JumpingClock()
    async with admin_plane(langgraph.url, clock) as admin, plain_http(langgraph.url) as server:
        deep = {"subagent_name": "looks-things-up", "parent_thread_id": "past-the-sidecar"}
        ghost = await started(server, "owls sleep=3", deep)
        chat = await started(server, "owls", {})
        clock.jump(120.0)
        found = {each["thread_id"]: each for each in (await _get(admin, "/v1/audit"))["ghosts"]}
        assert chat not in found
        assert found[ghost]["cause"] == "around"
        assert found[ghost]["agent_name"] == "looks-things-up"
        assert found[ghost]["assistant_id"] == "researcher"
        answer = await _post(admin, "/v1/audit", {"adopt": [ghost]})
        assert [each["task_id"] for each in answer["adopted"]] == [ghost]

        async def task() -> Any:
            return (await _get(admin, f"/v1/tasks/{ghost}"))["task"]

        ended = await eventually(task, lambda one: one["usage"] is not None, within=PATIENCE_S)
        assert ended["purpose"] == "owls sleep=3"
        assert (ended["status"], ended["session_id"]) == ("success", "past-the-sidecar")
        assert ended["usage"]["input_tokens"] > 0
        left = (await _get(admin, "/v1/audit"))["ghosts"]
        assert ghost not in {each["thread_id"] for each in left}


async def _get(client: httpx.AsyncClient, path: str) -> Any:
    return (await client.get(path)).raise_for_status().json()
