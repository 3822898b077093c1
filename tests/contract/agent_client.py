"""A client that adds nothing: what was sent, what came back, to the byte."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from tests.support.waiting import eventually_got

PATIENCE = 30.0
"""Seconds a real server may take to get a run going or done; `langgraph dev` polls its queue."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        return str(self.json["detail"])


@dataclass(frozen=True, slots=True)
class SseEvent:
    name: str
    data: Any
    event_id: str | None


def parse_sse(body: bytes) -> list[SseEvent]:
    """The events of a complete stream; comments are left out. Lines must end in CRLF."""
    events = []
    for block in body.decode().split("\r\n\r\n"):
        lines = [line for line in block.split("\r\n") if line and not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        if fields:
            data = json.loads(fields["data"])
            events.append(SseEvent(fields["event"], data, fields.get("id")))
    return events


class AgentClient:
    """Talks to one agent server; helpers cover what every check needs."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        data = raw if body is None else json.dumps(body).encode()
        typed = {"Content-Type": "application/json", **(headers or {})}
        async with self.session.request(
            method, self.url + path, data=data, headers=typed, allow_redirects=False
        ) as response:
            fields = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, fields, await response.read())

    async def new_thread(self, metadata: Mapping[str, Any] | None = None) -> str:
        answer = await self.call("POST", "/threads", {"metadata": metadata or {}})
        assert answer.status == 200, answer
        return str(answer.json["thread_id"])

    async def start(self, thread_id: str, graph: str, **more: Any) -> str:
        """Start a run and return its id."""
        answer = await self.call("POST", f"/threads/{thread_id}/runs", run_of(graph, **more))
        assert answer.status == 200, answer
        return str(answer.json["run_id"])

    async def run_when(self, thread_id: str, run_id: str, *statuses: str) -> Any:
        """The run, once its status is one of these."""

        async def ask() -> Any:
            return (await self.call("GET", f"/threads/{thread_id}/runs/{run_id}")).json

        return await eventually_got(ask, lambda run: run.get("status") in statuses, within=PATIENCE)

    async def thread_when(self, thread_id: str, *statuses: str) -> Any:
        async def ask() -> Any:
            return (await self.call("GET", f"/threads/{thread_id}")).json

        return await eventually_got(
            ask, lambda thread: thread.get("status") in statuses, within=PATIENCE
        )

    async def state_at_work(self, thread_id: str) -> Any:
        """The thread's state, once its graph took in the input and is at work on it."""

        async def ask() -> Any:
            return (await self.call("GET", f"/threads/{thread_id}/state")).json

        return await eventually_got(ask, _at_work, within=PATIENCE)


def _at_work(state: Any) -> bool:
    return bool(state["next"] and state["values"].get("messages"))


def run_of(graph: str, text: str = "hello", **more: Any) -> dict[str, Any]:
    """The body deepagents sends to start a run, and more."""
    return {
        "assistant_id": graph,
        "input": {"messages": [{"role": "user", "content": text}]},
        "stream_mode": "values",
        "stream_subgraphs": False,
        "stream_resumable": False,
        **more,
    }


def random_id() -> str:
    return str(uuid.uuid4())


@asynccontextmanager
async def agent_client(url: str) -> AsyncIterator[AgentClient]:
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        yield AgentClient(session, url)
