"""How many MCP sessions are open at a time, with the official package's own keeping of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from subagent_sidecar.core.principal import ANONYMOUS, Principal
from subagent_sidecar.tasks import spawn
from subagent_sidecar.tools.mcp_openers import Openers
from subagent_sidecar.tools.mcp_room import Room

MOST = 3


@dataclass
class Client:
    """Speaks ASGI to a room; `kept` are sessions that have something to lose."""

    kept: set[str] = field(default_factory=set)
    room: Room | None = None
    principal: Principal = ANONYMOUS

    async def ask(
        self, method: str, body: Any = None, session: str | None = None, version: str | None = None
    ) -> tuple[int, dict[str, str]]:
        """The status and the headers of the answer."""
        assert self.room is not None
        fields = {"accept": "application/json, text/event-stream", "host": "localhost"}
        fields["content-type"] = "application/json"
        if session is not None:
            fields["mcp-session-id"] = session
        if version is not None:
            fields["mcp-protocol-version"] = version
        raw = [(name.encode(), value.encode()) for name, value in fields.items()]
        whole = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
        answer: dict[str, Any] = {}

        async def receive() -> dict[str, Any]:
            if whole:
                return whole.pop()
            await asyncio.Event().wait()
            raise AssertionError("nothing more is sent")

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.update(message)

        scope = {"type": "http", "method": method, "path": "/", "query_string": b""}
        state = {"principal": self.principal}
        await self.room({**scope, "headers": raw, "state": state}, receive, send)
        headers = {key.decode(): value.decode() for key, value in answer["headers"]}
        return int(answer["status"]), headers

    async def opened(self) -> str:
        """A new session, as a client that is about to forget it."""
        info = {"name": "forgetful", "version": "1"}
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        status, headers = await self.ask("POST", hello)
        assert status == 200
        return headers["mcp-session-id"]

    async def answers(self, session: str) -> bool:
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        status, _ = await self.ask("POST", ping, session)
        assert status in (200, 404)
        return status == 200


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    manager = StreamableHTTPSessionManager(Server("test"), max_sessions=MOST)
    found = Client()
    kept = found.kept.__contains__
    found.room = Room(manager.handle_request, most=MOST, kept=kept, openers=Openers())
    async with manager.run():
        yield found


async def test_whoever_comes_new_gets_in_and_the_session_that_was_quiet_for_longest_goes() -> None:
    async with client() as at:
        first, second, third = [await at.opened() for _ in range(MOST)]
        assert await at.answers(first)  # so it is not the quietest any more
        fourth = await at.opened()
        assert not await at.answers(second)
        assert [await at.answers(each) for each in (first, third, fourth)] == [True] * 3


async def test_a_session_that_has_tasks_goes_after_those_that_have_none() -> None:
    async with client() as at:
        first, second, third = [await at.opened() for _ in range(MOST)]
        at.kept.update((first, third))
        await at.opened()
        assert [await at.answers(each) for each in (first, second, third)] == [True, False, True]


async def test_a_session_whose_client_listens_does_not_go() -> None:
    async with client() as at:
        first, second, *_ = [await at.opened() for _ in range(MOST)]
        listening = spawn(at.ask("GET", session=first), name="listens", awaited=True)
        await asyncio.sleep(0)  # it has asked
        await at.opened()
        assert await at.answers(first)
        assert not await at.answers(second)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_who_ends_a_session_makes_room_and_who_needs_none_takes_none() -> None:
    async with client() as at:
        first, second, third = [await at.opened() for _ in range(MOST)]
        await at.ask("POST", {"jsonrpc": "2.0", "id": 1}, version="2026-07-28")
        assert (await at.ask("DELETE", session=third))[0] == 200
        fourth = await at.opened()
        assert [await at.answers(each) for each in (first, second, fourth)] == [True] * 3


async def test_many_who_come_at_once_all_get_in() -> None:
    async with client() as at:
        for _ in range(MOST):
            await at.opened()
        assert len({*await asyncio.gather(*(at.opened() for _ in range(MOST)))}) == MOST


async def test_a_session_is_for_the_supervisor_that_opened_it() -> None:
    async with client() as found:
        session = await found.opened()
        found.principal = Principal("bob")
        listing = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}
        foreign = await found.ask("POST", listing, session)
        assert foreign == await found.ask("POST", listing, "f" * 32)
        assert foreign[0] == 404
        assert (await found.ask("DELETE", session=session))[0] == 404
        found.principal = ANONYMOUS
        assert await found.answers(session)
