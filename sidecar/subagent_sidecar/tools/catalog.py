"""Which agents there are, as far as the operator says or the servers tell."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ..core.agents import MOST, Agent, discovered, together
from ..core.principal import Principal
from ..tasks import spawn
from .door import Answered, Caller, Door

_log = logging.getLogger(__name__)

_FRESH_S = 60.0
_ASK_AGAIN_S = 5.0
"""Who names an agent that is not known may have deployed it a moment ago."""
_PATIENCE_S = 5.0
_CALLERS = 100
_HAS_NO_LIST = frozenset({404, 405})
_SILENT = Answered(504, "no answer in time", (), b"")

Agents = Mapping[str, Agent]
_Key = tuple[Principal, tuple[tuple[bytes, bytes], ...]]


@dataclass(slots=True)
class _Found:
    """What each upstream told last, to one caller with these credentials; in `failed` what those
    answered that have a list, and did not give it the last time."""

    of_each: dict[str, list[Agent]]
    agents: Agents
    failed: dict[str, Answered] = field(default_factory=dict)
    at: float = float("-inf")
    asking: "asyncio.Task[None] | None" = None


class Catalog:
    """The agents that are `declared`, where any are; else the assistants of all `upstreams`, asked
    once a minute at most. `listed` are those that an upstream is said to have, for servers that
    cannot be asked. `now` reads seconds on a clock that never jumps."""

    def __init__(
        self,
        door: Door,
        *,
        declared: Sequence[Agent],
        upstreams: Sequence[str],
        listed: Mapping[str, Sequence[str]],
        now: Callable[[], float],
    ) -> None:
        self._door = door
        self._declared = {agent.name: agent for agent in declared}
        self._upstreams = upstreams
        self._listed = {
            name: [Agent(name=agent, upstream=name, assistant_id=agent) for agent in agents]
            for name, agents in listed.items()
        }
        self._now = now
        self._found: dict[_Key, _Found] = {}
        self._listeners: list[Callable[[], None]] = []

    def on_changed(self, listener: Callable[[], None]) -> None:
        """Call `listener` when other agents are found than before."""
        self._listeners.append(listener)

    async def agents(self, caller: Caller) -> Agents:
        """All agents, by name. Servers that do not answer have those they had."""
        return await self._known(caller, _FRESH_S)

    async def find(self, name: str, caller: Caller) -> Agent | None:
        """The agent of this name; one that is not known is looked for anew."""
        agent = (await self.agents(caller)).get(name)
        return agent or (await self._known(caller, _ASK_AGAIN_S)).get(name)

    def failure(self, caller: Caller) -> Answered | None:
        """Of a server that may have agents of which nobody knows yet, as it gave no list so far:
        what it said when it was asked last."""
        found = self._found.get(_key(caller))
        failed = found.failed.items() if found else ()
        return next((answered for name, answered in failed if not self._listed.get(name)), None)

    async def _known(self, caller: Caller, fresh_s: float) -> Agents:
        if self._declared:
            return self._declared
        key = _key(caller)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _CALLERS:
                del self._found[next(iter(self._found))]
            found = self._found[key] = _Found({}, {})
        if self._now() - found.at >= fresh_s:
            if found.asking is None or found.asking.done():
                found.asking = spawn(self._ask_all(found, caller), name="agents", awaited=True)
            await asyncio.shield(found.asking)
        return found.agents

    async def _ask_all(self, found: _Found, caller: Caller) -> None:
        told = await asyncio.gather(*(self._ask(name, caller) for name in self._upstreams))
        found.failed = {}
        for name, agents in zip(self._upstreams, told, strict=True):
            if isinstance(agents, list):
                found.of_each[name] = agents
            elif not (agents.good or agents.status in _HAS_NO_LIST or name in found.of_each):
                found.failed[name] = agents
        before = found.agents
        found.agents = together(
            [found.of_each.get(name) or self._listed.get(name, []) for name in self._upstreams]
        )
        found.at = self._now()
        if before and before != found.agents:
            for listener in self._listeners:
                listener()

    async def _ask(self, upstream: str, caller: Caller) -> list[Agent] | Answered:
        """What it answered, where that is no list."""
        answered = _SILENT
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                answered = await self._door.ask(
                    "POST",
                    f"/to/{upstream}/assistants/search",
                    principal=caller.principal,
                    fields=caller.fields,
                    body={"limit": MOST, "offset": 0},
                )
        if answered.good and isinstance(answered.json, list):
            return discovered(upstream, answered.json)
        _log.debug("upstream '%s' does not list its agents", upstream)
        return answered


def _key(caller: Caller) -> _Key:
    """Servers may tell others of other agents."""
    return caller.principal, tuple(caller.fields)
