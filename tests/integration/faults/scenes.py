"""What a row of the fault table is played with: how it begins, what goes wrong, what is asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.agent_client import random_id, run_of
from tests.integration.faults.stage import Stage, seen
from tests.support.toxics import Timeout, Way
from tests.support.waiting import eventually

from subagent_sidecar.testing import FaultKind


@dataclass(slots=True)
class Scene:
    """One thread on a stage, and its run if there is one yet."""

    stage: Stage
    thread_id: str = ""
    run_id: str = ""

    @property
    def run_path(self) -> str:
        return f"/threads/{self.thread_id}/runs/{self.run_id}"


Begin = Callable[[Scene], Awaitable[None]]
Trouble = Callable[[Scene], AbstractAsyncContextManager[None]]
Act = Callable[[Scene], Awaitable[str]]


# How it begins


async def nothing(scene: Scene) -> None:
    """The act makes what it needs."""


async def a_thread(scene: Scene) -> None:
    scene.thread_id = await scene.stage.client.new_thread({"subagent_name": "worker"})


async def a_live_run(scene: Scene) -> None:
    await a_thread(scene)
    scene.run_id = await scene.stage.client.start(scene.thread_id, "hang")
    await scene.stage.direct.run_when(scene.thread_id, scene.run_id, "running")
    await scene.stage.record_becomes(scene.thread_id, "live")


async def a_finished_run(scene: Scene) -> None:
    await a_thread(scene)
    scene.run_id = await scene.stage.client.start(scene.thread_id, "researcher")
    await scene.stage.client.run_when(scene.thread_id, scene.run_id, "success")
    await scene.stage.record_becomes(scene.thread_id, "success")


# What goes wrong, for as long as the block lasts


@asynccontextmanager
async def no_trouble(scene: Scene) -> AsyncIterator[None]:
    """It is the act that comes at a bad time."""
    yield


def faulty(
    kind: FaultKind, method: str, path: str, *, times: int | None = None, **more: Any
) -> Trouble:
    """The server's own fault, on every request that fits, or the first `times`."""

    @asynccontextmanager
    async def trouble(scene: Scene) -> AsyncIterator[None]:
        scene.stage.server.faults.add(kind, path, method=method, times=times, **more)
        yield
        scene.stage.server.faults.clear()

    return trouble


def unlisted(trouble: Trouble) -> Trouble:
    """While it lasts the server does not show the runs either: doubts stay doubts."""
    listing = faulty(FaultKind.STATUS, "GET", "/threads/*/runs")

    @asynccontextmanager
    async def both(scene: Scene) -> AsyncIterator[None]:
        async with listing(scene), trouble(scene):
            yield

    return both


@asynccontextmanager
async def unreachable(scene: Scene) -> AsyncIterator[None]:
    async with scene.stage.proxy.down():
        yield


@asynccontextmanager
async def answers_lost(scene: Scene) -> AsyncIterator[None]:
    """Requests arrive, and nothing comes back."""
    scene.stage.proxy.add(Timeout(), Way.DOWN)
    yield
    scene.stage.proxy.clear()


def told_instead(word: str) -> Trouble:
    """The server tells another status of the run than the true one."""

    @asynccontextmanager
    async def trouble(scene: Scene) -> AsyncIterator[None]:
        run = (await scene.stage.direct.call("GET", scene.run_path)).body
        status = run[run.index(b'"status":') :].split(b",", 1)[0]
        lie = run.replace(status, b'"status":"%s"' % word.encode())
        path = scene.run_path
        scene.stage.server.faults.add(
            FaultKind.STATUS, path, method="GET", times=None, status=200, body=lie
        )
        yield
        scene.stage.server.faults.clear()

    return trouble


def forgotten(what: str) -> Trouble:
    """The server has lost the `thread` or the `run`, as after a crash that undid its last
    seconds."""

    @asynccontextmanager
    async def trouble(scene: Scene) -> AsyncIterator[None]:
        path = scene.run_path if what == "run" else f"/threads/{scene.thread_id}"
        assert (await scene.stage.direct.call("DELETE", path)).status == 204
        yield

    return trouble


def clock_off(seconds: float, *, server: bool = False) -> Trouble:
    """From here on the wall clock of the sidecar, or of the server, is wrong."""

    @asynccontextmanager
    async def trouble(scene: Scene) -> AsyncIterator[None]:
        clock = scene.stage.server_clock if server else scene.stage.clock
        clock.jump(seconds)
        yield

    return trouble


def both(first: Trouble, second: Trouble) -> Trouble:
    @asynccontextmanager
    async def trouble(scene: Scene) -> AsyncIterator[None]:
        async with first(scene), second(scene):
            yield

    return trouble


# What is asked


async def new_thread(scene: Scene) -> str:
    """Its id is chosen, so that it can be looked for whatever becomes of the answer."""
    scene.thread_id = random_id()
    return await seen(scene.stage.client, "POST", "/threads", {"thread_id": scene.thread_id})


async def start(scene: Scene) -> str:
    path = f"/threads/{scene.thread_id}/runs"
    return await seen(scene.stage.client, "POST", path, run_of("hang"))


async def update(scene: Scene) -> str:
    body = run_of("hang", multitask_strategy="interrupt")
    return await seen(scene.stage.client, "POST", f"/threads/{scene.thread_id}/runs", body)


async def check(scene: Scene) -> str:
    return await seen(scene.stage.client, "GET", scene.run_path)


async def cancel(scene: Scene) -> str:
    path = f"{scene.run_path}/cancel?wait=0&action=interrupt"
    return await seen(scene.stage.client, "POST", path)


async def operators_cancel(scene: Scene) -> str:
    path = f"/v1/tasks/{scene.thread_id}/cancel"
    return await seen(scene.stage.admin, "POST", path, {})


def start_while_the_clock_jumps(seconds: float) -> Act:
    """The clock is set when the server has taken the start and not answered yet."""

    async def act(scene: Scene) -> str:
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(start(scene))
            await eventually(lambda: len(scene.stage.server.ledger))
            scene.stage.clock.jump(seconds)
        return starting.result()

    return act
