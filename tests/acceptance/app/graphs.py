"""Subagents without a model key: one that answers, fails, asks, or never ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt
from tests.acceptance.app.instructions import obey_waits, orders_in

MODEL_NAME = "fake-researcher-1"


class FakeResearcher(BaseChatModel):
    """Obeys the last human message and counts one token per word."""

    @property
    def _llm_type(self) -> str:
        return "fake-researcher"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("the fake works on an event loop only")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        words = await self._think(messages)
        message = AIMessage(
            content=" ".join(words),
            usage_metadata=_usage(messages, words),
            response_metadata={"model_name": MODEL_NAME},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        words = await self._think(messages)
        for position, word in enumerate(words):
            chunk = AIMessageChunk(content=word if position == 0 else f" {word}")
            if position == len(words) - 1:
                chunk.usage_metadata = _usage(messages, words)
                chunk.response_metadata = {"model_name": MODEL_NAME}
            generation = ChatGenerationChunk(message=chunk)
            if run_manager is not None:
                await run_manager.on_llm_new_token(word, chunk=generation)
            yield generation

    async def _think(self, messages: Sequence[BaseMessage]) -> list[str]:
        orders = orders_in(_last_instruction(messages))
        await obey_waits(orders)
        return ["Findings", "on", *orders.topic.split(), *(f"w{n}" for n in range(orders.words))]


def _usage(messages: Sequence[BaseMessage], words: Sequence[str]) -> UsageMetadata:
    read = sum(len(message.text.split()) for message in messages)
    return UsageMetadata(
        input_tokens=read, output_tokens=len(words), total_tokens=read + len(words)
    )


def _last_instruction(messages: Sequence[BaseMessage]) -> str:
    return next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "")


async def _research(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await FakeResearcher().ainvoke(state["messages"])]}


async def _fail(state: MessagesState) -> dict[str, Any]:
    await obey_waits(orders_in(_last_instruction(state["messages"])))
    raise RuntimeError("boom: the subagent failed on purpose")


async def _ask(state: MessagesState) -> dict[str, Any]:
    await obey_waits(orders_in(_last_instruction(state["messages"])))
    answer = interrupt({"question": "Which region?", "options": ["EU", "US"]})
    return {"messages": [AIMessage(content=f"The human said {answer}.")]}


async def _hang(state: MessagesState) -> dict[str, Any]:
    await obey_waits(orders_in(_last_instruction(state["messages"])))
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nothing ends this wait but a cancel")


def _one_step(name: str, step: Any) -> Any:
    """A graph of the single node `step`, which carries the graph's name."""
    graph = StateGraph(MessagesState)
    graph.add_node(name, step)
    graph.add_edge(START, name)
    graph.add_edge(name, END)
    return graph.compile()


researcher = _one_step("research", _research)
failing = _one_step("fail", _fail)
asker = _one_step("ask", _ask)
hang = _one_step("hang", _hang)
