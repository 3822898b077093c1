"""`agents` of the config file: what tools can start, as the operator declares it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.agents import Agent, UpdateStrategy
from .unknown import unknown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,127}")
_KEYS = ("name", "description", "upstream", "assistant_id", "update_strategy")
_LONGEST_DESCRIPTION = 4_000


class AgentMistakes(ValueError):
    """`found` are (key, what is wrong there); keys as in `0.upstream`."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(text for _, text in found))
        self.found = tuple(found)


def agents(
    given: Any, *, upstreams: Sequence[str], default_upstream: str | None
) -> tuple[Agent, ...]:
    """Raises AgentMistakes with every mistake there is."""
    if not isinstance(given, list):
        raise AgentMistakes([("", "must be a list of agents, each with a `name`")])
    mistakes: list[tuple[str, str]] = []
    found: dict[str, Agent] = {}
    for index, each in enumerate(given):
        wrong = list(_mistakes(each, upstreams, default_upstream))
        if not wrong and each["name"] in found:
            wrong = [("name", f"'{each['name']}' stands twice")]
        mistakes += [(f"{index}.{key}".rstrip("."), text) for key, text in wrong]
        if not wrong:
            agent = _agent(each, default_upstream)
            found[agent.name] = agent
    if mistakes:
        raise AgentMistakes(mistakes)
    return tuple(found.values())


def _mistakes(
    given: Any, upstreams: Sequence[str], default_upstream: str | None
) -> Iterator[tuple[str, str]]:
    if not isinstance(given, dict):
        yield "", "must be a mapping with a `name`"
        return
    for key in given.keys() - set(_KEYS):
        yield str(key), unknown(key, _KEYS)
    for key in _KEYS:
        if key in given and not (isinstance(given[key], str) and given[key].strip()):
            yield key, "must be text, not empty"
            return
    if "name" not in given:
        yield "", "`name` is missing"
    elif not _NAME.fullmatch(given["name"]):
        yield "name", "has letters, digits, '_', '.', '-', '/' and at most 128 of them"
    if len(given.get("description", "")) > _LONGEST_DESCRIPTION:
        yield "description", f"is longer than {_LONGEST_DESCRIPTION:,} characters"
    upstream = given.get("upstream", default_upstream)
    if upstream is None:
        yield "", f"`upstream` is missing; there are: {', '.join(upstreams)}"
    elif upstream not in upstreams:
        yield "upstream", f"'{upstream}' is none of: {', '.join(upstreams)}"
    strategies = [strategy.value for strategy in UpdateStrategy]
    if given.get("update_strategy", strategies[0]) not in strategies:
        yield "update_strategy", f"must be one of: {', '.join(strategies)}"


def _agent(given: Mapping[str, str], default_upstream: str | None) -> Agent:
    said = {"description": given["description"].strip()} if "description" in given else {}
    return Agent(
        name=given["name"],
        upstream=given.get("upstream", default_upstream or ""),
        assistant_id=given.get("assistant_id", given["name"]),
        update_strategy=UpdateStrategy(given.get("update_strategy", UpdateStrategy.INTERRUPT)),
        **said,
    )
