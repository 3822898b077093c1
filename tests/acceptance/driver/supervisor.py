"""A real deep agent with async subagents, driven one turn at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any

from deepagents import AsyncSubAgent, create_deep_agent
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from tests.acceptance.driver.model import Call, ScriptedModel, script

Json = dict[str, Any]


class Supervisor:
    """Without a `thread_id` it has no checkpoints: its caller hands it its own state each turn."""

    def __init__(
        self, subagents: Sequence[AsyncSubAgent], *, sync: bool, thread_id: str | None
    ) -> None:
        self.thread_id = thread_id
        self.tasks: dict[str, Json] = {}
        self._messages: list[Any] = []
        self._sync = sync
        self._model = ScriptedModel()
        self._agent = create_deep_agent(
            model=self._model,
            subagents=list(subagents),
            checkpointer=None if thread_id is None else InMemorySaver(),
        )

    async def turn(self, calls: Sequence[Call]) -> list[list[Json]]:
        """Have the model make `calls`; returns what was new to it at each of its model calls."""
        before = len(self._model.seen)
        ask, config = self._input({"role": "user", "content": script(calls)})
        if self._sync:
            state = await asyncio.to_thread(self._agent.invoke, ask, config)
        else:
            state = await self._agent.ainvoke(ask, config)
        self.tasks = state.get("async_tasks", {})
        self._messages = state["messages"]
        return self._model.seen[before:]

    def _input(self, order: Json) -> tuple[Any, RunnableConfig]:
        if self.thread_id is None:
            messages = [*self._messages, order]
            return {"messages": messages, "async_tasks": self.tasks}, RunnableConfig()
        config = RunnableConfig(configurable={"thread_id": self.thread_id})
        return {"messages": [order]}, config
