"""The demo's two subagents, as `langgraph dev` serves them.

They are small, but do what they say: the researcher looks up, one by one, the planets that the
conversation asks about and then writes its report; the coder writes a long program, slowly enough
that somebody can change their mind.
"""

from collections.abc import Sequence
from typing import Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from .fake_model import FakeChatModel

LARGEST_MOONS = {
    "Mars": "Phobos (22 km), Deimos (12 km)",
    "Jupiter": "Ganymede (5,268 km), Callisto (4,821 km), Io (3,643 km)",
    "Saturn": "Titan (5,150 km), Rhea (1,527 km), Iapetus (1,469 km)",
    "Uranus": "Titania (1,577 km), Oberon (1,523 km)",
    "Neptune": "Triton (2,707 km), Proteus (420 km)",
}
CODING_STEPS = 12
_NOTE = "Looked up "
_LISTING = "Wrote part "


def asked_for(messages: Sequence[BaseMessage]) -> list[str]:
    """The planets named by whoever gave the instructions, in a fixed order."""
    wanted = " ".join(message.text for message in messages if isinstance(message, HumanMessage))
    return [planet for planet in LARGEST_MOONS if planet in wanted]


def missing(messages: Sequence[BaseMessage]) -> list[str]:
    """What still has to be looked up: notes of an earlier, interrupted run count as done."""
    notes = [message.text for message in messages if isinstance(message, AIMessage)]
    return [p for p in asked_for(messages) if not any(n.startswith(_NOTE + p) for n in notes)]


def _plan(messages: Sequence[BaseMessage]) -> AIMessage:
    return AIMessage(f"To look up: {', '.join(missing(messages)) or 'nothing'}.")


def _look_up(messages: Sequence[BaseMessage]) -> AIMessage:
    planet = missing(messages)[0]
    return AIMessage(f"{_NOTE}{planet}: {LARGEST_MOONS[planet]}.")


def _write(messages: Sequence[BaseMessage]) -> AIMessage:
    found = [f"{planet}: {LARGEST_MOONS[planet]}." for planet in asked_for(messages)]
    return AIMessage(" ".join(["Largest moons by diameter.", *found]))


def _code(messages: Sequence[BaseMessage]) -> AIMessage:
    part = 1 + sum(message.text.startswith(_LISTING) for message in messages)
    return AIMessage(f"{_LISTING}{part} of {CODING_STEPS}.")


_planner = FakeChatModel(answer=_plan, seconds=1.5)
_searcher = FakeChatModel(answer=_look_up, seconds=2.0)
_writer = FakeChatModel(answer=_write, seconds=1.5)
_coder = FakeChatModel(answer=_code, seconds=5.0)


async def plan(state: MessagesState) -> dict[str, list[BaseMessage]]:
    return {"messages": [await _planner.ainvoke(state["messages"])]}


async def look_up(state: MessagesState) -> dict[str, list[BaseMessage]]:
    return {"messages": [await _searcher.ainvoke(state["messages"])]}


async def write(state: MessagesState) -> dict[str, list[BaseMessage]]:
    return {"messages": [await _writer.ainvoke(state["messages"])]}


async def code(state: MessagesState) -> dict[str, list[BaseMessage]]:
    return {"messages": [await _coder.ainvoke(state["messages"])]}


def after_research(state: MessagesState) -> Literal["look_up", "write"]:
    return "look_up" if missing(state["messages"]) else "write"


def after_code(state: MessagesState) -> Literal["code", "__end__"]:
    done = sum(message.text.startswith(_LISTING) for message in state["messages"])
    return "__end__" if done >= CODING_STEPS else "code"


def _researcher() -> StateGraph[MessagesState]:
    graph = StateGraph(MessagesState)
    graph.add_node(plan)
    graph.add_node(look_up)
    graph.add_node(write)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", after_research)
    graph.add_conditional_edges("look_up", after_research)
    graph.add_edge("write", END)
    return graph


def _coding() -> StateGraph[MessagesState]:
    graph = StateGraph(MessagesState)
    graph.add_node(code)
    graph.add_edge(START, "code")
    graph.add_conditional_edges("code", after_code)
    return graph


researcher = _researcher().compile()
coder = _coding().compile()
