"""One story by deepagents' tools and by the sidecar's.

`python -m tests.acceptance.driver.tool_story URL` prints what a model reads of each. A process of
its own: deepagents leaves connections open.
"""

import asyncio
import json
import re
import sys
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
from deepagents.middleware.async_subagents import AsyncSubAgent, AsyncSubAgentMiddleware
from langchain.tools import ToolRuntime
from langgraph.types import Command
from tests.support.waiting import eventually_got

AGENTS = ("researcher", "failing", "asker", "hang")
PATIENCE = 60.0
_QUESTION = re.compile(r"\b[0-9a-f]{32}\b")

Call = Callable[..., Awaitable[str]]


class DeepAgents:
    """The tools of deepagents, called as its agent would call them: what they keep in the state of
    their supervisor is kept here."""

    def __init__(self, url: str) -> None:
        specs = [
            AsyncSubAgent(name=agent, description="A subagent.", graph_id=agent, url=url)
            for agent in AGENTS
        ]
        tools = AsyncSubAgentMiddleware(async_subagents=specs).tools
        self._tools = {tool.name: cast(Any, tool).coroutine for tool in tools}
        self._thread_id = str(uuid.uuid4())
        self._tasks: dict[str, Any] = {}

    async def call(self, tool: str, **arguments: Any) -> str:
        runtime: Any = ToolRuntime(
            state={"async_tasks": self._tasks, "messages": []},
            context=None,
            config={"configurable": {"thread_id": self._thread_id}},
            stream_writer=lambda _: None,
            tool_call_id="call",
            store=None,
        )
        told = await self._tools[tool](**arguments, runtime=runtime)
        if not isinstance(told, Command):
            return str(told)
        update = cast(dict[str, Any], told.update)
        self._tasks = {**self._tasks, **update["async_tasks"]}
        [message] = update["messages"]
        return str(message.content)


class Ours:
    """The sidecar's tools over HTTP."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._session = str(uuid.uuid4())

    async def call(self, tool: str, **arguments: Any) -> str:
        answer = await self._http.post(
            f"/sidecar/tools/{tool}",
            json=arguments,
            headers={"x-subagent-session": self._session},
        )
        text: str = answer.json()["text"]
        return "\n".join(line.partition("  purpose: ")[0] for line in text.splitlines())


async def story(call: Call) -> list[str]:
    """What a model reads, with its tasks called by their agents."""
    ids: dict[str, str] = {}
    told: list[str] = []

    def masked(text: str) -> str:
        for agent, task_id in ids.items():
            text = text.replace(task_id, f"<{agent}>")
        return _QUESTION.sub("<question>", text)

    async def read(tool: str, **arguments: Any) -> None:
        told.append(masked(await call(tool, **arguments)))

    async def until(agent: str, status: str) -> None:
        text = await eventually_got(
            lambda: call("check_async_task", task_id=ids[agent]),
            lambda text: f'"status": "{status}"' in text,
            within=PATIENCE,
        )
        told.append(masked(text))

    for agent in AGENTS:
        text = await call("start_async_task", description="the bread", subagent_type=agent)
        ids[agent] = text.rpartition(" ")[2]
        told.append(masked(text))
    await until("researcher", "success")
    await until("failing", "error")
    await until("asker", "waiting")
    await until("hang", "running")
    await read("list_async_tasks")
    await read("update_async_task", task_id=ids["asker"], message="never mind")
    await read("update_async_task", task_id=ids["hang"], message="and more")
    await read("update_async_task", task_id=ids["researcher"], message="and cake")
    await until("asker", "waiting")
    await until("hang", "running")
    await until("researcher", "success")
    await read("cancel_async_task", task_id=ids["asker"])
    await read("cancel_async_task", task_id=ids["hang"])
    await until("asker", "cancelled")
    await until("hang", "cancelled")
    await read("list_async_tasks")
    await read("check_async_task", task_id="no-such-task")
    await read("start_async_task", description="d", subagent_type="no-such-agent")
    return told


async def main(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as http:
        theirs, ours = await asyncio.gather(story(DeepAgents(url).call), story(Ours(http).call))
    told = {"theirs": theirs, "ours": ours}
    # The ones know the agents they were given, the others those that the server has.
    cut = {
        side: [t.partition("Available types:")[0] for t in texts] for side, texts in told.items()
    }
    print(json.dumps(cut))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
