"""A sidecar that serves by key only, and keys for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.contract.agent_client import agent_client
from tests.integration.http.rig import LOCAL, Front, Recorder, recorded
from tests.integration.http.wire import Answer, Wire
from tests.integration.upstream.raw_server import OK

MISSING = b"the request has none"


async def admin(front: Front, path: str, body: Any = None, *, status: int = 200) -> Any:
    """What the admin plane answers to a GET, or to a POST of `body`."""
    async with agent_client(f"http://{LOCAL}:{front.admin_port}") as client:
        method = "GET" if body is None else "POST"
        answer = await client.call(method, path, body)
    assert answer.status == status, answer.body
    return answer.json


async def new_key(front: Front, name: str = "team-a", **more: Any) -> str:
    """The text of a key that holds from now on. It sees every task: what a supervisor sees that
    does not is another matter (tests/integration/isolation), and servers here know any thread."""
    made = await admin(front, "/v1/keys", {"name": name, "every_task": True, **more})
    return str(made["key"])


async def revoke(front: Front, key: str) -> None:
    await admin(front, f"/v1/keys/{key.split('_')[1]}/revoke", {})


@asynccontextmanager
async def guarded(
    answer: bytes = OK, /, **values: object
) -> AsyncIterator[tuple[Recorder, Front, str]]:
    """A server that keeps what it gets, a sidecar with auth on before it, and a key."""
    async with recorded(answer, **{"auth": True, **values}) as (server, front):
        yield server, front, await new_key(front)


def from_clients(server: Recorder) -> list[bytes]:
    """What got through: the sidecar asks the server some things of its own accord."""
    return [each for each in server.requests if b"x-forwarded-for:" in each.lower()]


def request(line: str, *fields: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: a", *fields, "", ""]).encode(
        "utf-8", "surrogateescape"
    )


async def ask(front: Front, line: str, *fields: str) -> Answer:
    """An answer over a connection of its own."""
    async with Wire(front.port) as wire:
        return await wire.ask(request(line, *fields))
