"""A chat model for people without an API key: it takes its time and answers from a function."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

MODEL_NAME = "demo-model"
_CHARACTERS_PER_TOKEN = 4


class FakeChatModel(BaseChatModel):
    """Behaves like a hosted model: `seconds` of latency, tool calls, a token count.

    The tokens are counted from the texts that really go in and out, at four characters each.
    """

    answer: Callable[[Sequence[BaseMessage]], AIMessage]
    seconds: float

    @property
    def _llm_type(self) -> str:
        return MODEL_NAME

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Accept the tools and go on: `answer` knows which ones there are."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("The demo's parts are async: use ainvoke.")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.seconds)
        message = self.answer(messages)
        message.usage_metadata = _usage(messages, message)
        message.response_metadata = {"model_name": MODEL_NAME}
        return ChatResult(generations=[ChatGeneration(message=message)])


def _usage(messages: Sequence[BaseMessage], answer: AIMessage) -> UsageMetadata:
    read = sum(_tokens(message) for message in messages)
    written = _tokens(answer)
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _tokens(message: BaseMessage) -> int:
    return max(1, len(message.text) // _CHARACTERS_PER_TOKEN)
