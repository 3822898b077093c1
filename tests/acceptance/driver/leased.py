"""`python -m tests.acceptance.driver.leased URL THREAD sync|async [COUNT]`: the one line at work.

A supervisor starts a task that never ends, or so many, says which, and lives until it is ended.
"""

import asyncio
import sys
import time
from typing import Any

from deepagents import AsyncSubAgent, create_deep_agent
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from tests.acceptance.driver.model import ScriptedModel, script

from subagent_sidecar.client import SessionLease

_START = {"name": "start_async_task", "args": {"description": "hang", "subagent_type": "worker"}}


def _main(url: str, thread_id: str, way: str, count: str = "1") -> None:
    agent = create_deep_agent(
        model=ScriptedModel(),
        subagents=[AsyncSubAgent(name="worker", description="Works.", graph_id="hang", url=url)],
        checkpointer=InMemorySaver(),
        middleware=[SessionLease(url, lease_s=10)],
    )
    ask: Any = {"messages": [{"role": "user", "content": script([_START] * int(count))}]}
    config = RunnableConfig(configurable={"thread_id": thread_id})
    if way == "sync":
        _say(agent.invoke(ask, config))
        time.sleep(600)
    else:
        asyncio.run(_live(agent, ask, config))


async def _live(agent: Any, ask: Any, config: RunnableConfig) -> None:
    _say(await agent.ainvoke(ask, config))
    await asyncio.sleep(600)


def _say(state: dict[str, dict[str, object]]) -> None:
    print("started", *state["async_tasks"], flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
