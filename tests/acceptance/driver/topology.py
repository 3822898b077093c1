"""Stories about who calls whom: no conversation id, a subagent of a subagent, two servers."""

import asyncio
import functools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from deepagents import AsyncSubAgent
from tests.acceptance.driver.play import Play
from tests.acceptance.driver.recording import outcome, unbroken
from tests.acceptance.driver.scenarios import researcher
from tests.acceptance.driver.server import LangGraphServer, SelfHostedServer
from tests.acceptance.driver.supervisor import Supervisor
from tests.acceptance.rig.asking import plain_http
from tests.acceptance.rig.gates import Gatekeeper, gatekeeper

Json = dict[str, Any]

_LIMIT = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Two agent servers, `near` (langgraph dev) and `far` (self-hosted), and the ways to them.

    All supervisors send `headers`; `far_by_header` needs `far_headers` too to lead to the far
    server. `nester` is the graph whose own
    subagent takes the way of this side.
    """

    near: str
    far: str
    far_by_header: str
    nester: str
    near_server: str
    far_server: str
    headers: dict[str, str] = field(default_factory=dict)
    far_headers: dict[str, str] = field(default_factory=dict)
    admin: str | None = None


async def record(side: Side) -> Json:
    """Scenario name -> its recording."""
    async with (
        gatekeeper() as gates,
        plain_http(side.near_server) as near,
        plain_http(side.far_server) as far,
    ):
        stage = _Stage(side, gates, near, far)
        scenarios: dict[str, Callable[[], Awaitable[Json]]] = {
            "no-thread-id/async": functools.partial(stage.no_thread_id, sync=False),
            "no-thread-id/sync": functools.partial(stage.no_thread_id, sync=True),
            "nested": stage.nested,
            "two-servers/prefix": functools.partial(stage.two_servers, by_header=False),
            "two-servers/header": functools.partial(stage.two_servers, by_header=True),
        }
        recordings = await asyncio.gather(*(unbroken(play) for play in scenarios.values()))
    return dict(zip(scenarios, recordings, strict=True))


class _Stage:
    def __init__(
        self, side: Side, gates: Gatekeeper, near: httpx.AsyncClient, far: httpx.AsyncClient
    ) -> None:
        self._side = side
        self._gates = gates
        self._near_http = near
        self._near = LangGraphServer(near)
        self._far = SelfHostedServer(far)

    async def no_thread_id(self, *, sync: bool) -> Json:
        """The supervisor's caller keeps its state, so nothing names the conversation."""
        spec = self._spec("worker", "researcher", self._side.near)
        supervisor = Supervisor([spec], sync=sync, thread_id=None)
        play = self._play(f"no-thread-id-{sync}", supervisor, spec)
        async with asyncio.timeout(_LIMIT):
            await researcher(play)
        return await outcome(
            play, admin=self._side.admin, expected={"depth": 0, "parent_task_id": None}
        )

    async def nested(self) -> Json:
        """The subagent starts one of its own, is done before it, and looks after it later."""
        spec = self._spec("manager", self._side.nester, self._side.near)
        session = str(uuid.uuid4())
        outer = self._play("nested", Supervisor([spec], sync=False, thread_id=session), spec)
        async with asyncio.timeout(_LIMIT):
            await outer.start("go deep words=3", gate="inner")
            await outer.let_through("inner.outer")
            await outer.at_rest()
            await outer.check()
            inner = await self._inner(outer)
            await outer.let_through("inner")
            await inner.at_rest()
            await outer.update("is it done?", gate="again")
            await outer.let_through("again.outer")
            await outer.at_rest()
            await outer.check()
        expected = {"session_id": session, "depth": 0, "parent_task_id": None}
        below = {"session_id": outer.task_id, "depth": 1, "parent_task_id": outer.task_id}
        return {
            "outer": await outcome(outer, admin=self._side.admin, expected=expected),
            "inner": await outcome(inner, admin=self._side.admin, expected=below),
        }

    async def two_servers(self, *, by_header: bool) -> Json:
        """One supervisor with a subagent on each server."""
        near_spec = self._spec("near", "researcher", self._side.near)
        far_spec = self._spec("far", "researcher", self._side.far)
        if by_header:
            far_spec["url"] = self._side.far_by_header
            far_spec["headers"] = {**self._side.headers, **self._side.far_headers}
        session = str(uuid.uuid4())
        supervisor = Supervisor([near_spec, far_spec], sync=by_header, thread_id=session)
        near = self._play(f"near-{by_header}", supervisor, near_spec)
        far = self._play(f"far-{by_header}", supervisor, far_spec)
        far.server = self._far
        async with asyncio.timeout(_LIMIT):
            await near.start("topic N words=2", gate="only")
            await far.start("topic F words=2", gate="only")
            await near.list_all()
            for play in (near, far):
                await play.let_through("only")
                await play.at_rest()
                await play.check()
            await far.list_all()
        expected = {"session_id": session, "depth": 0, "parent_task_id": None}
        return {
            "near": await outcome(
                near, admin=self._side.admin, expected=expected | {"upstream": "near"}
            ),
            "far": await outcome(
                far, admin=self._side.admin, expected=expected | {"upstream": "far"}
            ),
        }

    def _spec(self, name: str, graph: str, url: str) -> AsyncSubAgent:
        return AsyncSubAgent(
            name=name, description="Works.", graph_id=graph, url=url, headers=self._side.headers
        )

    def _play(self, name: str, supervisor: Supervisor, spec: AsyncSubAgent) -> Play:
        return Play(
            name=name, supervisor=supervisor, subagent=spec, server=self._near, gates=self._gates
        )

    async def _inner(self, outer: Play) -> Play:
        """The task that the outer task started, found by what deepagents notes on its thread."""
        query = {"metadata": {"parent_thread_id": outer.task_id}}
        answer = await self._near_http.post("/threads/search", json=query)
        (thread,) = answer.raise_for_status().json()
        spec = AsyncSubAgent(name="inner", description="", graph_id="researcher")
        inner = self._play("inner", Supervisor([], sync=False, thread_id=outer.task_id), spec)
        inner.task_id = thread["thread_id"]
        return inner
