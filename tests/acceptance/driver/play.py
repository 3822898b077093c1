"""One task's story in progress: a supervisor, the server behind it, and a record of both."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from deepagents import AsyncSubAgent
from langgraph_sdk import get_client
from langgraph_sdk.schema import Command
from tests.acceptance.driver.model import Call
from tests.acceptance.driver.server import Server, at_rest
from tests.acceptance.driver.supervisor import Supervisor
from tests.acceptance.rig.asking import eventually
from tests.acceptance.rig.gates import Gatekeeper

Json = dict[str, Any]

_IN_SIGHT_WITHIN = 2.0


def call(tool: str, **args: str) -> Call:
    return {"name": tool, "args": args}


@dataclass(slots=True, kw_only=True)
class Play:
    """`steps` holds, per step, what the supervisor's model was shown."""

    name: str
    supervisor: Supervisor
    subagent: AsyncSubAgent
    server: Server
    gates: Gatekeeper
    task_id: str = ""
    runs_heard_of: dict[str, None] = field(default_factory=dict)
    steps: list[Json] = field(default_factory=list)

    @property
    def queues_updates(self) -> bool:
        return self.subagent.get("update_strategy") == "enqueue"

    async def start(self, text: str, *, gate: str) -> None:
        """Start a task and wait until somebody works on it (stands at the gate)."""
        orders = f"{text} {self.gates.order(self._gate(gate))}"
        before = set(self.supervisor.tasks)
        agent = self.subagent["name"]
        await self._do(call("start_async_task", description=orders, subagent_type=agent))
        (self.task_id,) = set(self.supervisor.tasks) - before
        self._hear_of([self.supervisor.tasks[self.task_id]["run_id"]])
        await self.working(gate)

    async def check(self) -> None:
        await self._do(call("check_async_task", task_id=self.task_id))

    async def update(self, text: str, *, gate: str) -> None:
        orders = f"{text} {self.gates.order(self._gate(gate))}"
        await self._do(call("update_async_task", task_id=self.task_id, message=orders))

    async def cancel(self) -> None:
        await self._do(call("cancel_async_task", task_id=self.task_id))

    async def list_all(self) -> None:
        await self._do(call("list_async_tasks"))

    async def answer(self, text: str) -> None:
        """The human answers the subagent's question, by the way the supervisor also goes."""
        resume: Command = {"resume": text}
        async with get_client(url=self.subagent["url"]) as client:
            run = await client.runs.create(self.task_id, self.subagent["graph_id"], command=resume)
        self._hear_of([run["run_id"]])

    async def working(self, gate: str) -> None:
        await self.gates.reached(self._gate(gate))
        await self._in_sight()

    async def stopped(self, gate: str) -> None:
        """The cancelled subagent at the gate does not work any more, where servers see to that."""
        if self.server.cancel_stops_work:
            await self.gates.left(self._gate(gate))

    async def let_through(self, gate: str) -> None:
        self.gates.open(self._gate(gate))
        await self.gates.left(self._gate(gate))

    async def at_rest(self) -> None:
        await at_rest(self.server, self.task_id, self.runs_heard_of)
        await self._in_sight()

    async def runs(self) -> list[Json]:
        return await self.server.runs(self.task_id, self.runs_heard_of)

    async def _do(self, one: Call) -> None:
        """One turn of the supervisor."""
        shown = await self.supervisor.turn([one])
        self.steps.append({"step": one["name"], "shown": shown})
        if self.task_id:
            self._hear_of([self.supervisor.tasks[self.task_id]["run_id"]])

    async def _in_sight(self) -> None:
        """Returns when the supervisor's way shows what the server says.

        A sidecar answers polls of the same quarter of a second alike, so it may be that late, and
        no later. Headers as deepagents has them: others would be another question.
        """
        if "url" not in self.subagent:
            return
        headers = {"x-auth-scheme": "langsmith", **self.subagent.get("headers", {})}
        newest = list(self.runs_heard_of)[-1]
        async with get_client(url=self.subagent["url"], headers=headers) as way:

            async def same() -> bool:
                run = await way.runs.get(self.task_id, newest)
                thread = await way.threads.get(self.task_id)
                runs = await self.server.runs(self.task_id, [newest])
                true_thread = await self.server.thread(self.task_id)
                true_status = {true["run_id"]: true["status"] for true in runs}[newest]
                return (run["status"], thread.get("status")) == (
                    true_status,
                    true_thread.get("status"),
                )

            if not await eventually(same, bool, within=_IN_SIGHT_WITHIN):
                raise TimeoutError(f"task {self.task_id} looks different by the supervisor's way")

    def _hear_of(self, run_ids: Iterable[str]) -> None:
        self.runs_heard_of.update(dict.fromkeys(run_ids))

    def _gate(self, name: str) -> str:
        return f"{self.name}.{name}"
