"""A sidecar that lets no coder in, in front of a server with all its doors."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from tests.integration.doors.server import LOCAL, DoorServer, door_server
from tests.integration.http.rig import Front, sidecar
from tests.support.waiting import eventually_got

POLICY = """
version: 1
limits:
  - {name: no-coder, match: {agent: coder}, deny: true, message: Do the coding yourself.}
"""
WAITED = 20.0
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refused(self) -> bool:
        return self.headers.get("x-subagent-sidecar") == "refused"


@dataclass(frozen=True)
class Rig:
    server: DoorServer
    front: Front
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.front.port}"

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        """`body` as JSON, or as it is."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"accept": "application/json, text/event-stream", **headers}
        async with self.session.post(self.url + path, data=data, headers=fields) as answer:
            read = await answer.read()
            return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, read)

    def socket(self, thread_id: str = "t") -> Any:
        """A context manager, as aiohttp's `ws_connect`."""
        return self.session.ws_connect(f"{self.url}/threads/{thread_id}/stream/events")

    async def tasks(self) -> list[Record]:
        """All tasks on record, the newest first."""
        url = f"http://{LOCAL}:{self.front.admin_port}/v1/tasks"
        async with self.session.get(url) as answer:
            listed: list[Record] = (await answer.json())["tasks"]
            return listed

    async def task(self, good: Callable[[Record], bool] = lambda task: True) -> Record:
        """The newest task, once there is one that is good."""
        found = await eventually_got(
            self.tasks, lambda tasks: bool(tasks) and good(tasks[0]), within=WAITED
        )
        return found[0]


@asynccontextmanager
async def rig(folder: Path, **values: object) -> AsyncIterator[Rig]:
    policy = folder / "p.yaml"
    policy.write_text(POLICY, "utf-8")
    async with (
        door_server() as server,
        sidecar(server.url, policy=str(policy), **values) as front,
        aiohttp.ClientSession() as session,
    ):
        yield Rig(server, front, session)
