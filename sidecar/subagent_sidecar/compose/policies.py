"""The policies that are in force, and what follows them.

What the operator said by setting, flag or variable is stronger than what a policy says, and that
is stronger than what is built in.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from .. import policy_file
from ..clock import SystemClock
from ..config import Settings
from ..core.model import timestamp
from ..core.policy import Policy
from ..core.policy_state import PolicyState
from ..core.prices import PriceList
from ..policy_keeper import Look, PolicyFiles, PolicyKeeper
from ..ports import Clock
from ..service import Service
from .lifetimes import spawned

_COALESCE = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True)
class FirstPolicies:
    """The policies as they are when the sidecar starts; `seen` before they were read."""

    files: PolicyFiles
    seen: Look
    state: PolicyState


def read_policies(names: Sequence[str], *, clock: Clock | None = None) -> FirstPolicies:
    """Bundled policies by name, and files. Raises ConfigError with every problem."""
    paths = [policy_file.find(name) for name in names]
    files = PolicyFiles(names, paths, policy_file.load)
    seen = files.look()
    at = timestamp((clock or SystemClock()).now())
    return FirstPolicies(files, seen, files.read(at))


def keep(
    stack: AsyncExitStack,
    first: FirstPolicies,
    service: Service,
    clock: Clock,
    reload_asked: asyncio.Event | None,
) -> PolicyKeeper:
    """Put `first` in force, and see to its reloads until the stack is left."""
    keeper = PolicyKeeper(files=first.files, first=first.state, seen=first.seen, clock=clock)

    def enforce(policy: Policy) -> None:
        service.policy = policy

    keeper.follow(enforce)
    if first.state.files:
        spawned(stack, keeper.watch(), name="watch policy files")
    if reload_asked is not None:
        spawned(stack, keeper.heed(reload_asked), name="reload when asked")
    return keeper


def coalesce_s(settings: Settings, policy: Policy) -> float:
    """How long identical polls share an answer."""
    said = (settings.coalesce, policy.coalesce, _COALESCE)
    return next(window for window in said if window is not None).total_seconds()


def prices(settings: Settings, policy: Policy) -> PriceList:
    """The operator's own, model by model."""
    return {**policy.prices, **settings.prices}
