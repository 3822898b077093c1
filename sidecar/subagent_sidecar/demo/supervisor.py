"""The demo's supervisor, in a process of its own: `python -m subagent_sidecar.demo.supervisor URL`.

It is a plain `create_deep_agent` with two async subagents; only its model is scripted. Each line on
stdin is something the user says. Each line on stdout is a JSON object, in the order of events:

    {"event": "ready"}
    {"event": "call", "tool": ..., "args": {...}}       the model calls a tool
    {"event": "result", "tool": ..., "text": ...}       what the model got back
    {"event": "notice", "agent", "task_id", "status"}   deepagents tells the model about a task
    {"event": "answer", "text": ...}                    the model to the user
    {"event": "done"}                                   the turn is over
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deepagents import create_deep_agent
from deepagents.middleware.async_subagents import AsyncSubAgent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import convert_to_messages
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from .fake_model import FakeChatModel
from .script import Line, Move, next_move

Event = Mapping[str, object]

_THREAD = "demo"
_THINKING_SECONDS = 0.7
_NOTIFICATION = "deepagents_notification"
_SUBAGENTS = {
    "researcher": "Looks things up and writes a short report.",
    "coder": "Writes programs; takes its time.",
}


def build(url: str) -> Runnable[Any, Any]:
    """The supervisor as anybody would write it: `url` is all that knows about the sidecar."""
    subagents = [
        AsyncSubAgent(name=name, description=text, graph_id=name, url=url)
        for name, text in _SUBAGENTS.items()
    ]
    model = FakeChatModel(answer=decide, seconds=_THINKING_SECONDS)
    return create_deep_agent(model=model, subagents=subagents, checkpointer=InMemorySaver())


def decide(messages: Sequence[BaseMessage]) -> AIMessage:
    """The scripted model: the next move of the script as a chat model would say it."""
    match next_move(list(lines(messages))):
        case Move() as move:
            call = {"name": move.tool, "args": dict(move.args), "id": f"call-{len(messages)}"}
            return AIMessage("", tool_calls=[call])
        case text:
            return AIMessage(text)


def lines(messages: Sequence[BaseMessage]) -> Iterator[Line]:
    """The conversation in the words of the script: no system prompt, no notifications."""
    calls: dict[str | None, Mapping[str, str]] = {}
    for message in messages:
        if isinstance(message, HumanMessage) and _NOTIFICATION not in message.additional_kwargs:
            yield Line("user", message.text)
        elif isinstance(message, ToolMessage):
            args = calls.get(message.tool_call_id, {})
            yield Line("tool", message.text, tool=message.name or "", args=args)
        elif isinstance(message, AIMessage):
            calls.update({call["id"]: call["args"] for call in message.tool_calls})
            if not message.tool_calls:
                yield Line("model", message.text)


def events(message: BaseMessage) -> Iterator[Event]:
    """What a new message of the conversation means to somebody looking on."""
    if isinstance(message, ToolMessage):
        yield {"event": "result", "tool": message.name, "text": message.text}
    elif isinstance(message, AIMessage):
        for call in message.tool_calls:
            yield {"event": "call", "tool": call["name"], "args": call["args"]}
        if not message.tool_calls:
            yield {"event": "answer", "text": message.text}
    elif notice := message.additional_kwargs.get(_NOTIFICATION):
        yield {
            "event": "notice",
            "agent": notice["agent_name"],
            "task_id": notice["task_id"],
            "status": notice["status"],
        }


async def take_turn(agent: Runnable[Any, Any], said: str, emit: Callable[[Event], None]) -> None:
    """Put the user's words to the supervisor and emit what happens until it has answered."""
    config = RunnableConfig(configurable={"thread_id": _THREAD})
    question = {"messages": [{"role": "user", "content": said}]}
    async for chunk in agent.astream(question, config, stream_mode="updates"):
        for update in chunk.values():
            for message in convert_to_messages((update or {}).get("messages") or []):
                for event in events(message):
                    emit(event)
    emit({"event": "done"})


async def main(url: str, emit: Callable[[Event], None]) -> None:
    agent = build(url)
    emit({"event": "ready"})
    while said := await asyncio.to_thread(sys.stdin.readline):
        await take_turn(agent, said.rstrip("\n"), emit)


def _private_stdout() -> Callable[[Event], None]:
    """Keep stdout for events: whatever a library prints from now on goes to stderr."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return lambda event: print(json.dumps(event), file=ours)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], _private_stdout()))
