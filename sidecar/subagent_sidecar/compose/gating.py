"""Who is let in at the data plane."""

import logging
from contextlib import AsyncExitStack

from ..config import Settings
from ..keyring import Keyring
from ..ports import Clock, Store
from ..proxy.gate import Gate
from ..service import Service
from .lifetimes import spawned

_log = logging.getLogger(__name__)


async def keyring(
    stack: AsyncExitStack, settings: Settings, store: Store, service: Service
) -> Keyring:
    """The keys there are. With auth off nobody is asked for one; they can be made all the same.
    Raises StoreError."""
    ring = Keyring(store, now=service.now)
    await ring.load()
    if settings.auth:
        spawned(stack, ring.follow(), name="follow the keys of supervisors")
    if settings.auth and not ring.any_live:
        _log.warning(
            "no supervisor has a key, so nobody is served: make one with "
            "`subagentctl keys create NAME`",
            extra={"action": "no_keys"},
        )
    return ring


def gate(settings: Settings, ring: Keyring, clock: Clock) -> Gate | None:
    """None: everybody is let in."""
    if not settings.auth:
        return None
    return Gate(ring, now=clock.monotonic, max_key_requests=settings.max_key_requests)


def supervisors_admitted(settings: Settings) -> str:
    """What is asked of supervisors, for people."""
    if settings.auth:
        return "on: supervisors need a key (`subagentctl keys create NAME`)"
    return f"off: whoever reaches {settings.listen.host}:{settings.listen.port} is served"
