"""Supervisors that walk into refusals, one of each kind, all at the same time.

A recording holds what the supervisor's model was `told` by the tool that was refused, the ids of
its `tasks`, and the `threads` that are on the server for it once its leftovers are gone.
"""

import asyncio
import functools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from deepagents import AsyncSubAgent
from tests.acceptance.driver.play import call
from tests.acceptance.driver.recording import task_record, unbroken
from tests.acceptance.driver.supervisor import Supervisor
from tests.acceptance.rig.asking import eventually, plain_http
from tests.acceptance.rig.gates import Gatekeeper, gatekeeper

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.core.changes import Frozen
from subagent_sidecar.core.matching import Scope
from subagent_sidecar.core.model import timestamp
from subagent_sidecar.core.verdict import Freeze
from subagent_sidecar.store.sqlite import SqliteStore

Json = dict[str, Any]

_LIMIT = 120.0
_RECORD_WITHIN = 60.0
_TIDY_WITHIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A sidecar with the policy of `app/refusals.yaml` (`url`, `admin`, the file of its `store`),
    and the server behind it. `nester` is the graph whose own subagent goes through that sidecar."""

    url: str
    admin: str
    store: str
    server: str
    nester: str


@dataclass(slots=True, kw_only=True)
class Story:
    """One supervisor in a session of its own."""

    side: Side
    agent: str
    graph: str
    sync: bool
    gates: Gatekeeper
    server: httpx.AsyncClient
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        spec = AsyncSubAgent(
            name=self.agent, description="Works.", graph_id=self.graph, url=self.side.url
        )
        self.supervisor = Supervisor([spec], sync=self.sync, thread_id=self.session)

    async def start(self, text: str) -> str:
        """What the tool says."""
        return await self._tool(
            call("start_async_task", description=text, subagent_type=self.agent)
        )

    async def started(self, text: str) -> str:
        """The id of a task that was let in."""
        before = set(self.supervisor.tasks)
        told = await self.start(text)
        new = set(self.supervisor.tasks) - before
        if len(new) != 1:
            raise AssertionError(f"not started: {told}")
        return new.pop()

    async def update(self, task_id: str, text: str) -> str:
        return await self._tool(call("update_async_task", task_id=task_id, message=text))

    async def _tool(self, one: Json) -> str:
        shown = await self.supervisor.turn([one])
        (told,) = [m["content"] for news in shown for m in news if m["type"] == "tool"]
        return str(told)

    async def used(self, task_id: str) -> None:
        """Returns when the record says that the task is done, and what it used."""
        await self._recorded(task_id, lambda task: task["status"] == "success" and task["usage"])

    async def at_work(self, task_id: str) -> None:
        """Returns when the record says that the task runs."""
        await self._recorded(task_id, lambda task: task["status"] == "running")

    async def _recorded(self, task_id: str, good: Callable[[Json], object]) -> None:
        async def ask() -> Json:
            return await task_record(self.side.admin, task_id)

        record = await eventually(
            ask, lambda task: bool(task and good(task)), within=_RECORD_WITHIN
        )
        if not (record and good(record)):
            raise TimeoutError(f"the record of task {task_id} stays {record}")

    async def threads_for(self, session: str) -> list[str]:
        """What is on the server for a session, once it is no more than there are tasks."""

        async def ask() -> list[str]:
            query = {"metadata": {"parent_thread_id": session}, "limit": 100}
            answer = await self.server.post("/threads/search", json=query)
            return [thread["thread_id"] for thread in answer.raise_for_status().json()]

        tasks = set(self.supervisor.tasks) if session == self.session else set()
        return await eventually(ask, lambda found: set(found) == tasks, within=_TIDY_WITHIN)


async def one_too_many(story: Story) -> str:
    """The first two wait at a gate until all is over."""
    for each in ("first", "second"):
        await story.started(f"{each} {story.gates.order(each)}")
    return await story.start("third")


async def once_only(story: Story) -> str:
    await story.started("first")
    return await story.start("second")


async def while_another_holds_it(story: Story) -> str:
    """The first waits at a gate until all is over."""
    await story.started(f"first {story.gates.order('held')}")
    return await story.start("second")


async def the_same_again(story: Story) -> str:
    await story.started("find  the answer")
    return await story.start("find the answer")


async def not_at_all(story: Story) -> str:
    return await story.start("write code")


async def after_it_was_used(story: Story) -> str:
    await story.used(await story.started("first"))
    return await story.start("second")


async def after_it_took_its_time(story: Story) -> str:
    task_id = await story.started(f"first {story.gates.order('time')}")
    await story.at_work(task_id)
    story.gates.open("time")
    await story.used(task_id)
    return await story.start("second")


async def asked_again(story: Story) -> str:
    return await story.update(await story.started("first"), "and another thing")


async def frozen(story: Story) -> str:
    """By another process on the same store."""
    at = timestamp(SystemClock().now())
    freeze = Freeze(scope=Scope.AGENT, scope_id=story.agent, reason="a fire in the kitchen", at=at)
    store = await SqliteStore.open(Path(story.side.store))
    try:
        await store.apply([Frozen(freeze=freeze, at=at)])
    finally:
        await store.aclose()
    return await story.start("work")


async def below(story: Story) -> str:
    """What the model of the subagent is told, which stands in its thread on the server."""
    task_id = await story.started(f"go deep {story.gates.order('below')}")
    story.gates.open("below.outer")

    async def done() -> Json:
        answer = await story.server.get(f"/threads/{task_id}")
        thread: Json = answer.raise_for_status().json()
        return thread

    thread = await eventually(done, lambda found: found["status"] == "idle", within=_RECORD_WITHIN)
    left = await story.threads_for(task_id)
    if left:
        raise AssertionError(f"left behind: {left}")
    (told,) = [m["content"] for m in thread["values"]["messages"] if m["type"] == "tool"]
    return str(told)


Tale = Callable[[Story], Awaitable[str]]

TALES: dict[str, tuple[str, Tale]] = {
    "researcher": ("researcher", one_too_many),
    "once": ("researcher", once_only),
    "hourly": ("researcher", once_only),
    "parrot": ("researcher", the_same_again),
    "outer": ("nester", below),
    "coder": ("researcher", not_at_all),
    "spendthrift": ("spender", after_it_was_used),
    "talker": ("spender", after_it_was_used),
    "saver": ("researcher", while_another_holds_it),
    "starter": ("researcher", once_only),
    "worker": ("researcher", after_it_took_its_time),
    "mystery": ("researcher", after_it_was_used),
    "asked": ("researcher", asked_again),
    "snowman": ("researcher", frozen),
}
"""By the agent's name, which the rule is about: its graph, and how it comes to be refused."""


async def record(side: Side) -> Json:
    """Agent -> its recording. Every other supervisor is a synchronous one."""
    async with gatekeeper() as gates, plain_http(side.server) as server:
        recordings = await asyncio.gather(
            *(
                unbroken(
                    functools.partial(
                        _recorded,
                        tale,
                        Story(
                            side=side,
                            agent=agent,
                            graph=side.nester if graph == "nester" else graph,
                            sync=bool(number % 2),
                            gates=gates,
                            server=server,
                        ),
                    )
                )
                for number, (agent, (graph, tale)) in enumerate(TALES.items())
            )
        )
    return dict(zip(TALES, recordings, strict=True))


async def _recorded(tale: Tale, story: Story) -> Json:
    async with asyncio.timeout(_LIMIT):
        told = await tale(story)
        threads = await story.threads_for(story.session)
    return {"told": told, "tasks": list(story.supervisor.tasks), "threads": threads}
