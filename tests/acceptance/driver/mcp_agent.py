"""A LangChain agent with the tools of an MCP server: `python -m tests.acceptance.driver.mcp_agent
URL` prints what its model was told. It runs apart, among packages that would not do here."""

import asyncio
import importlib
import json
import sys
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from tests.acceptance.driver.model import ScriptedModel, script

CALLS = [
    {
        "name": "start_async_task",
        "args": {"description": "coffee", "subagent_type": "researcher"},
    },
    {"name": "list_async_tasks", "args": {}},
    {"name": "check_async_task", "args": {"task_id": "no-such-task"}},
]


async def main(url: str) -> None:
    adapters = importlib.import_module("langchain_mcp_adapters.client")
    loading = importlib.import_module("langchain_mcp_adapters.tools")
    client = adapters.MultiServerMCPClient({"subagents": {"transport": "http", "url": url}})
    async with client.session("subagents") as session:
        agent: Any = create_agent(ScriptedModel(), await loading.load_mcp_tools(session))
        state = await agent.ainvoke({"messages": [{"role": "user", "content": script(CALLS)}]})
    told = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    print(json.dumps([{"text": message.text, "status": message.status} for message in told]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
