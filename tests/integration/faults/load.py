"""Clients that start, update, cancel and poll, and go on when the sidecar comes back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import aiohttp
from tests.contract.agent_client import AgentClient, Answer, agent_client, run_of

_GRAPHS = ("researcher", "researcher", "steps", "hang", "failing", "asker")
_RECENT = 6


@dataclass
class Load:
    """What the clients have done so far, and whether the sidecar is there for them.

    `told` are the runs whose start was answered. `answered` and `cut` count what clients did by
    its name; what was cut off got no answer.
    """

    up: asyncio.Event = field(default_factory=asyncio.Event)
    told: list[str] = field(default_factory=list)
    asked: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    _goals: dict[asyncio.Event, int] = field(default_factory=dict)

    def count(self) -> None:
        """A request is about to be sent."""
        self.asked += 1
        for reached, goal in self._goals.items():
            if self.asked >= goal:
                reached.set()

    async def asked_for(self, more: int) -> None:
        """Returns when so many more requests were sent."""
        reached = asyncio.Event()
        self._goals[reached] = self.asked + more
        await reached.wait()
        del self._goals[reached]


class _Client:
    """One supervisor: its own connections, its own tasks, its own dice."""

    def __init__(self, load: Load, client: AgentClient, name: str) -> None:
        self._load = load
        self._client = client
        self._dice = Random(name)
        self._name = name
        self._number = 0
        self._runs: list[tuple[str, str]] = []
        self._deeds = {
            "start": self._start,
            "update": self._update,
            "cancel": self._cancel,
            "poll": self._poll,
        }

    async def work(self) -> None:
        while True:
            await self._load.up.wait()
            deed = self._next()
            try:
                await self._deeds[deed]()
                self._load.answered[deed] += 1
            except (aiohttp.ClientError, OSError):
                self._load.cut[deed] += 1

    def _next(self) -> str:
        if not self._runs:
            return "start"
        return self._dice.choices(["start", "update", "cancel", "poll"], [3, 3, 2, 4])[0]

    async def _start(self) -> None:
        answer = await self._call("POST", "/threads", {"metadata": {"subagent_name": "worker"}})
        await self._run_on(str(answer.json["thread_id"]))

    async def _update(self) -> None:
        thread_id, _ = self._dice.choice(self._runs)
        strategy = self._dice.choice(["interrupt", "enqueue"])
        await self._run_on(thread_id, multitask_strategy=strategy)

    async def _run_on(self, thread_id: str, **more: str) -> None:
        """Start something nobody else starts, half of the times under a request id of our own."""
        self._number += 1
        name = f"{self._name} {self._number}"
        headers = {"x-request-id": name.replace(" ", "-")} if self._number % 2 else None
        body = run_of(self._dice.choice(_GRAPHS), name, **more)
        path = f"/threads/{thread_id}/runs"
        answer = await self._call("POST", path, body, headers=headers, expected=(200, 504))
        if answer.status == 504:
            return  # the machine stood still: what became of it is for the books to tell
        run_id = str(answer.json["run_id"])
        self._load.told.append(run_id)
        self._runs = [*self._runs[-_RECENT:], (thread_id, run_id)]

    async def _cancel(self) -> None:
        """404: it has ended."""
        thread_id, run_id = self._dice.choice(self._runs)
        path = f"/threads/{thread_id}/runs/{run_id}/cancel?wait=0"
        await self._call("POST", path, expected=(202, 404))

    async def _poll(self) -> None:
        thread_id, run_id = self._dice.choice(self._runs)
        await self._call("GET", f"/threads/{thread_id}/runs/{run_id}")

    async def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        expected: tuple[int, ...] = (200,),
    ) -> Answer:
        self._load.count()
        answer = await self._client.call(method, path, body, headers=headers)
        assert answer.status in expected, answer
        return answer


@asynccontextmanager
async def under_load(url: str, *, clients: int, seed: str) -> AsyncIterator[Load]:
    """Clients at work while the block lasts; then each is stopped wherever it is."""
    load = Load()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        workers = []
        for number in range(clients):
            client = await stack.enter_async_context(agent_client(url))
            worker = _Client(load, client, f"{seed} client {number}")
            workers.append(group.create_task(worker.work()))
        yield load
        for task in workers:
            task.cancel()
