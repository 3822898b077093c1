"""A LangChain agent with the tools of an MCP server: `python -m tests.acceptance.driver.mcp_agent
URL` prints what its model was told, tool by tool. It runs apart, among packages that would not do
here."""

import asyncio
import importlib
import json
import sys
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from tests.acceptance.driver.model import ScriptedModel, script

PATIENCE = 60

Told = dict[str, str]


class Agent:
    """It has a turn for each call: the id of a task is not known before it is told."""

    def __init__(self, tools: list[Any]) -> None:
        self._agent: Any = create_agent(ScriptedModel(), tools)
        self.told: list[Told] = []

    async def call(self, tool: str, **arguments: Any) -> str:
        """The text that the model gets."""
        order = script([{"name": tool, "args": arguments}])
        state = await self._agent.ainvoke({"messages": [{"role": "user", "content": order}]})
        [message] = [each for each in state["messages"] if isinstance(each, ToolMessage)]
        self.told.append({"tool": tool, "text": message.text, "status": message.status})
        return message.text


async def use_every_tool(agent: Agent) -> None:
    """One task that ends by itself, is told more and ends again; one that has to be ended."""
    text = await agent.call(
        "start_async_task", description="coffee words=1", subagent_type="researcher"
    )
    coffee = text.rpartition(" ")[2]
    await agent.call("wait_async_task", task_id=coffee, timeout=PATIENCE)
    await agent.call("update_async_task", task_id=coffee, message="milk words=1")
    await agent.call("wait_async_task", task_id=coffee, timeout=PATIENCE)
    text = await agent.call("start_async_task", description="tea", subagent_type="hang")
    tea = text.rpartition(" ")[2]
    await agent.call("list_async_tasks")
    await agent.call("cancel_async_task", task_id=tea)
    await agent.call("check_async_task", task_id=tea)
    await agent.call("check_async_task", task_id="no-such-task")


async def main(url: str) -> None:
    adapters = importlib.import_module("langchain_mcp_adapters.client")
    loading = importlib.import_module("langchain_mcp_adapters.tools")
    client = adapters.MultiServerMCPClient({"subagents": {"transport": "http", "url": url}})
    async with client.session("subagents") as session:
        agent = Agent(await loading.load_mcp_tools(session))
        await use_every_tool(agent)
    print(json.dumps(agent.told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
