"""The tools: their names, arguments and descriptions, as models are shown them.

Names and arguments are those of deepagents' own tools, so that a model (or a prompt, or an
evaluation) that knows the ones can use the others; `wait_async_task` is ours.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .agents import Agent, UpdateStrategy
from .model import TaskStatus

LONGEST_WAIT_S = 600.0
USUAL_WAIT_S = 60.0

FILTERS = ("running", "pending", "waiting", "success", "error", "timeout", "cancelled", "all")
assert {*FILTERS} == {*TaskStatus, "all"}

_TASK_ID = {
    "type": "string",
    "description": "The task_id that start_async_task returned, exactly as it was.",
}

_START = """Start an async subagent. It works in the background on another server; this returns a \
task ID at once.

Available async agent types:
{agents}

How to use it:
1. Briefly tell the user what you delegated, and go on with other work. Task IDs are for you: \
leave them out of what you tell the user unless asked.
2. Do not check at once, and do not poll. When you can do nothing without the result, use \
`wait_async_task`.
3. `update_async_task` sends new instructions to a task that is under way.
4. Several tasks can run at the same time: start them one after another, without waiting in between.
5. The subagent sees nothing but the description: say everything it has to know.
6. A task with status `waiting` waits for a human. The user answers it directly; you cannot."""

_CHECK = """See how an async subagent task stands, and its result once it is complete. Of a task \
with status `waiting` it also returns what the subagent asks the user. What was shown earlier in \
the conversation is out of date: call this rather than repeat it."""

_UPDATE = """Send new instructions to an async subagent. Its current run is interrupted and a new \
one begins that sees the whole conversation so far and your message. The task_id stays the same."""

_QUEUED = """

Exception: for {agents}, the message waits until the current run is over. Combine several messages \
into one."""

_CANCEL = """Cancel an async subagent task that is no longer needed, whether it is running, \
pending or waiting. Tells whether it really ended."""

_LIST = """List the async subagent tasks of this session: their current statuses, and what each \
was started for. `check_async_task` has the result of a task, or what a `waiting` one asks."""

_WAIT = f"""Wait until an async subagent task ends or asks for the user, and return what \
`check_async_task` would. Returns after `timeout` seconds at the latest (at most \
{LONGEST_WAIT_S:.0f}); the task goes on all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`parameters` is a JSON Schema. `reads_only`: it changes nothing."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    reads_only: bool = False


def tools(agents: Iterable[Agent]) -> list[Tool]:
    """All tools, as they are while there are these agents."""
    listed = list(agents)
    return [
        Tool(
            name="start_async_task",
            description=_START.format(agents=_lines(listed)),
            parameters=_schema(
                description={
                    "type": "string",
                    "description": "What the subagent is to do, in detail.",
                },
                subagent_type={
                    "type": "string",
                    "description": "One of the available async agent types.",
                },
            ),
        ),
        Tool(
            name="check_async_task",
            description=_CHECK,
            parameters=_schema(task_id=_TASK_ID),
            reads_only=True,
        ),
        Tool(
            name="update_async_task",
            description=_UPDATE + _exception(listed),
            parameters=_schema(
                task_id=_TASK_ID,
                message={
                    "type": "string",
                    "description": "Further instructions, or something the subagent should know.",
                },
            ),
        ),
        Tool(
            name="cancel_async_task",
            description=_CANCEL,
            parameters=_schema(task_id=_TASK_ID),
        ),
        Tool(
            name="list_async_tasks",
            description=_LIST,
            parameters=_schema(
                required=(),
                status_filter={
                    "type": "string",
                    "enum": list(FILTERS),
                    "description": "Only tasks with this status. `all` if left out.",
                },
            ),
            reads_only=True,
        ),
        Tool(
            name="wait_async_task",
            description=_WAIT,
            parameters=_schema(
                required=("task_id",),
                task_id=_TASK_ID,
                timeout={
                    "type": "number",
                    "minimum": 0,
                    "maximum": LONGEST_WAIT_S,
                    "default": USUAL_WAIT_S,
                    "description": "How many seconds to wait at the most.",
                },
            ),
            reads_only=True,
        ),
    ]


def _schema(*, required: tuple[str, ...] | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _lines(agents: Iterable[Agent]) -> str:
    listed = "\n".join(f"- {agent.name}: {agent.description}" for agent in agents)
    return listed or "(none is known at the moment)"


def _exception(agents: Iterable[Agent]) -> str:
    queued = [
        f"`{agent.name}`" for agent in agents if agent.update_strategy is UpdateStrategy.ENQUEUE
    ]
    return _QUEUED.format(agents=", ".join(queued)) if queued else ""


NAMES = tuple(tool.name for tool in tools(()))


# Shapes


def _plain(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }


def _openai(tool: Tool) -> dict[str, Any]:
    return {"type": "function", "function": _plain(tool)}


def _anthropic(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    }


SHAPES: Mapping[str, Callable[[Tool], dict[str, Any]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
}
"""What function calling expects, by whose."""
