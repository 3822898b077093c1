"""MCP sessions as sessions of ours.

A session that has started a task keeps a lease from then on: renewed while its client asks or
listens, and let go when it vanishes. Whoever ends the MCP session ends it. What that means for its
tasks is the policy's to say, as for every session.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..core.model import EndedBy
from ..errors import SidecarError
from ..service import Service
from .mcp_openers import Openers

LEASE_S = 600
_BEAT_S = 60.0
_FORGET_S = 3_600.0
_WHY = "its MCP client ended the session"


def named(mcp_session: str) -> str:
    """What a session is called in our books."""
    return f"mcp:{mcp_session}"


@dataclass(slots=True)
class _Present:
    """`requests` are under way, streams that listen included; `leased`: it has started a
    task, for `supervisor`."""

    requests: int = 0
    leased: bool = False
    supervisor: str = ""
    last_at: float = 0.0


class McpSessions:
    """Those of this process. `now` reads seconds on a clock that never jumps."""

    def __init__(
        self,
        service: Service,
        *,
        now: Callable[[], float],
        beat_s: float = _BEAT_S,
    ) -> None:
        self._service = service
        self._now = now
        self._beat_s = beat_s
        self._known: dict[str, _Present] = {}
        self.openers = Openers()

    @contextmanager
    def present(self, session: str) -> Iterator[None]:
        """While it lasts the client is there."""
        known = self._known.setdefault(session, _Present())
        known.requests += 1
        try:
            yield
        finally:
            known.requests -= 1
            known.last_at = self._now()
            if not (known.leased or known.requests):
                self._known.pop(session, None)

    async def started(self, session: str, supervisor: str) -> None:
        """It has started a task for `supervisor`."""
        known = self._known.setdefault(session, _Present())
        known.leased, known.supervisor = True, supervisor
        known.last_at = self._now()
        await self._beat(session, supervisor)

    def has_started(self, session: str) -> bool:
        """Whether tasks may belong to it."""
        known = self._known.get(session)
        return known is not None and known.leased

    async def end(self, session: str) -> None:
        """Its client said that it is over."""
        known = self._known.pop(session, None)
        if known is not None and known.leased:
            with suppress(SidecarError):  # then its lease runs out
                await self._service.sessions.end(
                    known.supervisor, named(session), by=EndedBy.SUPERVISOR, reason=_WHY
                )

    async def run(self) -> None:
        """Renew the leases of those who are there, for ever."""
        while True:
            await asyncio.sleep(self._beat_s)
            await self.renew()

    async def renew(self) -> None:
        """Once."""
        now = self._now()
        for session, known in list(self._known.items()):
            if known.leased and (known.requests or now - known.last_at <= self._beat_s):
                await self._beat(session, known.supervisor)
            elif not known.requests and now - known.last_at > _FORGET_S:
                del self._known[session]

    async def _beat(self, session: str, supervisor: str) -> None:
        with suppress(SidecarError):  # ended by an operator, or a store in trouble
            await self._service.sessions.beat(
                supervisor, named(session), lease_s=LEASE_S, reopen=False
            )
