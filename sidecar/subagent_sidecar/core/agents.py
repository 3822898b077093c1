"""The agents that tools can start: declared by the operator, or found on the servers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from .keys import may_start
from .storable import name as storable_name
from .storable import storable

MOST = 100
"""So many of one server are offered: a model reads them all with every turn."""

_LONGEST_DESCRIPTION = 500
_NO_DESCRIPTION = "Nothing more is known about it than its name."


class UpdateStrategy(StrEnum):
    """What an update does to a run that is at work. CANCEL_FIRST is an interrupt for servers that
    take `multitask_strategy` and ignore it: the run is cancelled, and seen to be, before the next
    one starts."""

    INTERRUPT = "interrupt"
    ENQUEUE = "enqueue"
    CANCEL_FIRST = "cancel_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What a supervisor may start. `assistant_id` is what its server knows it by."""

    name: str
    upstream: str
    assistant_id: str
    description: str = _NO_DESCRIPTION
    update_strategy: UpdateStrategy = UpdateStrategy.INTERRUPT


def discovered(upstream: str, listed: Iterable[Any]) -> list[Agent]:
    """The agents among a server's assistants: for each graph the one that the server itself made
    of it, by the graph's name, and those that people made, each by its own. In the order of their
    names, whatever the server's: what models are shown should not change for nothing."""
    found: dict[str, Agent] = {}
    for each in listed:
        agent = _assistant(upstream, each) if isinstance(each, dict) else None
        if agent is not None and len(found) < MOST:
            found.setdefault(agent.name, agent)
    return sorted(found.values(), key=lambda agent: agent.name)


def _assistant(upstream: str, listed: dict[str, Any]) -> Agent | None:
    metadata = listed.get("metadata")
    own = not isinstance(metadata, dict) or metadata.get("created_by") == "system"
    graph = storable_name(listed.get("graph_id"))
    assistant_id = storable_name(listed.get("assistant_id"))
    if own:
        name, means = graph, graph
    else:
        name, means = storable_name(listed.get("name")), assistant_id
    if name is None or means is None:
        return None
    return Agent(
        name=name,
        upstream=upstream,
        assistant_id=means,
        description=_description(listed.get("description")),
    )


def _description(given: object) -> str:
    """One line, as it stands in a list."""
    if not isinstance(given, str):
        return _NO_DESCRIPTION
    return " ".join(storable(given).split())[:_LONGEST_DESCRIPTION] or _NO_DESCRIPTION


def together(of_each: Sequence[Sequence[Agent]]) -> dict[str, Agent]:
    """All of several servers, by name. A name that stands on several is that of the first; on the
    others it is `<upstream>/<name>`."""
    found: dict[str, Agent] = {}
    for agents in of_each:
        for agent in agents:
            if agent.name in found:
                agent = replace(agent, name=f"{agent.upstream}/{agent.name}")
            found.setdefault(agent.name, agent)
    return found


def startable(agents: Mapping[str, Agent], only: Sequence[str]) -> Mapping[str, Agent]:
    """Those that a key for `only` these globs may start; none: all. Which graph an assistant of
    somebody's own runs is not known here, so that a start of it may be refused all the same."""
    if not only:
        return agents
    return {name: agent for name, agent in agents.items() if may_start(only, _told(agent)) is None}


def _told(agent: Agent) -> list[str]:
    """What a start of it is held against, as far as that is known."""
    return [agent.name] if _is_id(agent.assistant_id) else [agent.name, agent.assistant_id]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
