"""The graphs behind assistants.

Policies name agents. A server knows a graph by its name, by the ids of its assistants, one of which
is computed from the name and thus known to everybody, and as an MCP tool by an assistant's name,
which anybody may choose: a rule that could be passed by with one of these would be none.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ..core.model import Item
from ..errors import UpstreamError
from ..ports import AgentServer, Headers
from .bodies import RunBody, name

Said = TypeVar("Said", RunBody, Item)

_ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_KEPT_S = 60.0
"""An assistant may be given another graph, by others than those who come through here."""

_KEPT = 10_000


class Assistants:
    """Asks each upstream once a minute at most about each of its assistants. `now` reads seconds
    on a clock that never jumps."""

    def __init__(self, servers: Mapping[str, AgentServer], *, now: Callable[[], float]) -> None:
        self._servers = servers
        self._now = now
        self._known: dict[tuple[str, str, bool], tuple[str | None, float]] = {}
        self._changes = 0

    def changed(self) -> None:
        """Somebody changes an assistant: nothing holds that was learned before."""
        self._changes += 1
        self._known.clear()

    def concern(self, said: RunBody | Item) -> bool:
        """Whether a start gives an id where a graph's name may stand."""
        return said.assistant_id is not None and _ID.fullmatch(said.assistant_id) is not None

    async def named(self, upstream: str, said: Said, auth: Headers) -> Said:
        """What a start says, with the graph's name where it gave the id of an assistant. One the
        server does not know, or cannot be asked about, stays as it is."""
        if said.assistant_id is None or not self.concern(said):
            return said
        graph = await self._graph(upstream, said.assistant_id, auth, tool=False)
        return said if graph is None else replace(said, assistant_id=graph)

    async def tool_named(self, upstream: str, said: RunBody, auth: Headers) -> RunBody:
        """`named` for a call of an MCP tool."""
        if said.assistant_id is None:
            return said
        graph = await self._graph(upstream, said.assistant_id, auth, tool=True)
        return said if graph is None else replace(said, assistant_id=graph)

    async def all_named(
        self, upstream: str, items: Sequence[Item], auth: Headers
    ) -> Sequence[Item]:
        """`named` for each run of a batch."""
        return [await self.named(upstream, item, auth) for item in items]

    async def _graph(self, upstream: str, given: str, auth: Headers, *, tool: bool) -> str | None:
        key = (upstream, given, tool)
        graph, until = self._known.get(key, (None, 0.0))
        if self._now() < until:
            return graph
        server = self._servers.get(upstream)
        if server is None:
            return None
        ask = server.graph_of_tool if tool else server.graph_of
        changes = self._changes
        try:
            graph = name(await ask(given, auth=auth))
        except UpstreamError:
            return None
        if graph is not None and changes == self._changes:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = (graph, self._now() + _KEPT_S)
        return graph
