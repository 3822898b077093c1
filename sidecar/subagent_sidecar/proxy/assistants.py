"""The graphs behind assistants.

Policies name agents. A server knows a graph by its name, by the ids of its assistants, one of which
is computed from the name and thus known to everybody, and as an MCP tool by an assistant's name,
which anybody may choose: a rule that could be passed by with one of these would be none. So where
rules ask whose a start is and the server does not say it, nothing starts.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ..core.model import Item
from ..core.storable import name
from ..errors import AgentUnknown, UpstreamError, UpstreamRefused
from ..ports import AgentServer, Headers
from ..tasks import spawn
from .bodies import RunBody

Said = TypeVar("Said", RunBody, Item)

_ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_SHORTEST_ID = 32
_KEPT_S = 60.0
"""An assistant may be given another graph, by others than those who come through here."""

_NONE_KEPT_S = 5.0
"""Who has just been told that there is none may make it in a moment."""

_KEPT = 10_000
_PAUSE_S = 0.25
_DENIED = frozenset({401, 403})

_Key = tuple[str, str, bool]
"""Upstream, what was given, and whether as a tool."""


class Assistants:
    """Asks each upstream once a minute at most about each of its assistants. `now` reads seconds
    on a clock that never jumps. `guarded`: whether it matters whose a start is. What failed is
    tried once more, after `pause_s`."""

    def __init__(
        self,
        servers: Mapping[str, AgentServer],
        *,
        now: Callable[[], float],
        guarded: Callable[[], Awaitable[bool]],
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._servers = servers
        self._now = now
        self._guarded = guarded
        self._pause_s = pause_s
        self._known: dict[_Key, tuple[str, float]] = {}
        self._none: dict[tuple[_Key, Headers], float] = {}
        self._asking: dict[tuple[_Key, Headers], asyncio.Task[str | None]] = {}
        self._changes = 0

    def changed(self) -> None:
        """Somebody changes an assistant: nothing holds that was learned before."""
        self._changes += 1
        self._known.clear()
        self._none.clear()
        self._asking.clear()

    def concern(self, said: RunBody | Item) -> bool:
        """Whether a start gives an id where a graph's name may stand."""
        given = said.assistant_id
        return given is not None and len(given) >= _SHORTEST_ID and _ID.fullmatch(given) is not None

    async def named(
        self, upstream: str, said: Said, auth: Headers, *, matters: bool = False
    ) -> Said:
        """What a start says, with the graph's name where it gave the id of an assistant. One the
        server does not know stays as it is. Raises AgentUnknown where the server cannot be asked
        and it matters, to this caller or to the rules; StoreError where nobody knows whether it
        does."""
        if said.assistant_id is None or not self.concern(said):
            return said
        graph = await self._graph(upstream, said.assistant_id, auth, tool=False, matters=matters)
        return said if graph is None else replace(said, assistant_id=graph)

    async def tool_named(
        self, upstream: str, said: RunBody, auth: Headers, *, matters: bool = False
    ) -> RunBody:
        """`named` for a call of an MCP tool."""
        if said.assistant_id is None:
            return said
        graph = await self._graph(upstream, said.assistant_id, auth, tool=True, matters=matters)
        return said if graph is None else replace(said, assistant_id=graph)

    async def all_named(
        self, upstream: str, items: Sequence[Item], auth: Headers, *, matters: bool = False
    ) -> Sequence[Item]:
        """`named` for each run of a batch."""
        return [await self.named(upstream, item, auth, matters=matters) for item in items]

    async def _graph(
        self, upstream: str, given: str, auth: Headers, *, tool: bool, matters: bool
    ) -> str | None:
        key = (upstream, given, tool)
        graph, until = self._known.get(key, (None, 0.0))
        if self._now() < until:
            return graph
        server = self._servers.get(upstream)
        if server is None:
            return None
        asked = key, tuple(auth)  # another caller may be told otherwise
        if self._now() < self._none.get(asked, 0.0):
            return None
        try:
            return await self._told(server, asked)
        except UpstreamError as error:
            if matters or await self._guarded():
                raise _unknown(error) from error
            return None

    async def _told(self, server: AgentServer, asked: tuple[_Key, Headers]) -> str | None:
        """What the server says; all who ask meanwhile are told the same."""
        asking = self._asking.get(asked)
        if asking is None:
            asking = spawn(self._ask(server, asked), name="ask for a graph", awaited=True)
            self._asking[asked] = asking
            asking.add_done_callback(lambda done: self._answered(asked, done))
        return await asyncio.shield(asking)

    def _answered(self, asked: tuple[_Key, Headers], done: "asyncio.Task[str | None]") -> None:
        if self._asking.get(asked) is done:
            del self._asking[asked]
        if not done.cancelled():
            done.exception()  # who asked may have left

    async def _ask(self, server: AgentServer, asked: tuple[_Key, Headers]) -> str | None:
        changes = self._changes
        graph = await self._tried(server, asked)
        if changes == self._changes:
            self._keep(asked, graph)
        return graph

    async def _tried(self, server: AgentServer, asked: tuple[_Key, Headers]) -> str | None:
        (_, given, tool), auth = asked
        ask = server.graph_of_tool if tool else server.graph_of
        try:
            return name(await ask(given, auth=auth))
        except UpstreamError as error:
            if isinstance(error, UpstreamRefused) and error.answered in _DENIED:
                raise
        await asyncio.sleep(self._pause_s)
        return name(await ask(given, auth=auth))

    def _keep(self, asked: tuple[_Key, Headers], graph: str | None) -> None:
        if len(self._known) >= _KEPT or len(self._none) >= _KEPT:
            self._known.clear()
            self._none.clear()
        if graph is None:
            self._none[asked] = self._now() + _NONE_KEPT_S
        else:
            self._known[asked[0]] = graph, self._now() + _KEPT_S


def _unknown(error: UpstreamError) -> AgentUnknown:
    return AgentUnknown(
        "this start names an assistant, not a graph, and the agent server does not say which graph "
        f"that is ({error.message}), so that nobody can tell which rules are about it. Nothing was "
        "sent; try again in a moment, or give the name of the graph"
    )
