"""Chat models that say what a test wants said, and remember all they were shown."""

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.tool import tool_call
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field
from tests.acceptance.app.instructions import Orders, obey_waits, orders_in

Call = dict[str, Any]
"""One tool call: `{"name": ..., "args": {...}}`."""


def script(calls: Sequence[Call]) -> str:
    """The user message that makes `ScriptedModel` do `calls`, one after the other."""
    return json.dumps({"calls": list(calls)})


class _ToolCaller(BaseChatModel):
    """Emits the calls of `_plan` one model call at a time, then a final answer."""

    seen: list[list[dict[str, Any]]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> "_ToolCaller":
        return self

    def _plan(self, order: HumanMessage) -> list[Call] | None:
        """The calls a human message asks for, None when it asks for nothing."""
        raise NotImplementedError

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.seen.append(_news(messages))
        answer = self._answer(messages)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        done = 0
        for message in reversed(messages):
            if isinstance(message, AIMessage):
                done += len(message.tool_calls)
            elif isinstance(message, HumanMessage) and (plan := self._plan(message)) is not None:
                return _emit(plan[done:], call_id=f"call-{len(messages)}")
        return _emit([], call_id="")


def _emit(rest: Sequence[Call], *, call_id: str) -> AIMessage:
    """The first of the calls, or the final answer when none is left."""
    if not rest:
        return AIMessage(content="Noted.")
    first = tool_call(name=rest[0]["name"], args=rest[0]["args"], id=call_id)
    return AIMessage(content="", tool_calls=[first])


def _news(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """What the model is shown for the first time: everything after its own last message."""
    fresh: list[dict[str, Any]] = []
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            break
        if message.type != "system":
            fresh.append({"type": message.type, "content": message.content})
    return fresh[::-1]


class ScriptedModel(_ToolCaller):
    """Does what the newest `script(...)` among the human messages says."""

    def _plan(self, order: HumanMessage) -> list[Call] | None:
        if not order.text.startswith('{"calls"'):
            return None
        calls: list[Call] = json.loads(order.text)["calls"]
        return calls


class DelegatingModel(_ToolCaller):
    """Hands the first instruction it ever gets to its one subagent, and no other.

    Where an instruction names a gate for the subagent, it waits itself at the gate of that name
    with `.outer` behind it before it says that it is done: no turn of its supervisor is so slow
    that it is done too soon.
    """

    subagent: str

    def _plan(self, order: HumanMessage) -> list[Call]:
        args = {"description": f"nested: {order.text}", "subagent_type": self.subagent}
        return [{"name": "start_async_task", "args": args}]

    def _answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        if any(isinstance(message, AIMessage) for message in messages):
            return AIMessage(content="Delegated.")
        return super()._answer(messages)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        result = self._generate(messages)
        if not result.generations[0].message.tool_calls:  # type: ignore[attr-defined]
            gates = [g for m in messages if m.type == "human" and (g := orders_in(m.text).gate)]
            if gates:
                await obey_waits(Orders(topic="", gate=f"{gates[-1]}.outer"))
        return result
