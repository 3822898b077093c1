"""A deep agent that reports, as hosted models do, what each of its calls used.

It calls its model twice, with a subagent of its own in between, whose call is a third. And a graph
that calls the same model again and again, for ten minutes if nobody ends it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from deepagents import create_deep_agent
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, MessagesState, StateGraph

_EVERY_S = 0.25
_CALLS = 2_400
MODEL_NAME = "claude-3-haiku-20240307"


class SpendingModel(BaseChatModel):
    """`delegates` once to the subagent `helper`, if it is told to, then is done."""

    delegates: bool

    @property
    def _llm_type(self) -> str:
        return "spending"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self

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
        order = {"description": "help", "subagent_type": "helper"}
        delegates = self.delegates and not isinstance(messages[-1], ToolMessage)
        message = AIMessage(
            content="Spent.",
            tool_calls=[tool_call(name="task", args=order, id="call-1")] if delegates else [],
            usage_metadata=UsageMetadata(
                input_tokens=1_000,
                output_tokens=100,
                total_tokens=1_100,
                input_token_details=InputTokenDetails(cache_read=400, cache_creation=100),
            ),
            response_metadata={"model_name": MODEL_NAME, "model_provider": "anthropic"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


spender = create_deep_agent(
    model=SpendingModel(delegates=True),
    subagents=[
        {
            "name": "helper",
            "description": "Helps.",
            "system_prompt": "Help.",
            "model": SpendingModel(delegates=False),
        }
    ],
)


async def _spend(state: MessagesState) -> dict[str, Any]:
    await asyncio.sleep(_EVERY_S)
    return {"messages": [await SpendingModel(delegates=False).ainvoke(state["messages"][:1])]}


def _more(state: MessagesState) -> str:
    return "spend" if len(state["messages"]) < _CALLS else END


spree = (
    StateGraph(MessagesState)
    .add_node("spend", _spend)
    .add_edge(START, "spend")
    .add_conditional_edges("spend", _more)
    .compile(name="spree")
    .with_config(recursion_limit=2 * _CALLS)
)
