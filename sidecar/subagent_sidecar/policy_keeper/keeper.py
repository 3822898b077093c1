"""The policy in force, its reloads, and who is told of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from ..core.model import Timestamp, timestamp
from ..core.policy import Policy
from ..core.policy_state import FailedReload, PolicyState
from ..errors import ConfigError, PolicyInvalid
from ..file_looks import Look, Settling
from ..ports import Clock
from .reading import PolicyFiles

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0

Follower = Callable[[Policy], None]


class PolicyKeeper:
    """ports.PolicyKeeping. `first` is what `files` came to when the sidecar started, and `seen`
    what could be seen of them just before."""

    def __init__(
        self,
        *,
        files: PolicyFiles,
        first: PolicyState,
        seen: Look,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._files = files
        self._state = first
        self._settling = Settling(seen)
        self._clock = clock
        self._sleep = sleep
        self._followers: list[Follower] = []
        self._one_at_a_time = asyncio.Lock()

    @property
    def state(self) -> PolicyState:
        """See ports.PolicyKeeping."""
        return self._state

    def follow(self, follower: Follower) -> None:
        """Hand `follower`, which must not raise, the policy in force, now and at each reload."""
        self._followers.append(follower)
        follower(self._state.policy)

    async def watch(self) -> None:
        """Reload when a file has changed and come to rest, for ever."""
        while True:
            await self._sleep(_LOOK_EVERY_S)
            if self._settling.news(await asyncio.to_thread(self._files.look)):
                with suppress(PolicyInvalid):
                    await self.reload(why="a policy file has changed")

    async def heed(self, asked: asyncio.Event) -> None:
        """Reload whenever `asked` is set, for ever."""
        while True:
            await asked.wait()
            asked.clear()
            with suppress(PolicyInvalid):
                await self.reload(why="SIGHUP")

    async def reload(self, *, why: str) -> PolicyState:
        """See ports.PolicyKeeping."""
        async with self._one_at_a_time:
            self._settling.read = await asyncio.to_thread(self._files.look)
            try:
                found = await asyncio.to_thread(self._files.read, self._now())
            except ConfigError as error:
                self._refuse(error.problems, why)
                raise PolicyInvalid(error.problems) from error
            self._take_up(found, why)
            return self._state

    def _now(self) -> Timestamp:
        return timestamp(self._clock.now())

    def _take_up(self, found: PolicyState, why: str) -> None:
        before = self._state
        extra = {"action": "policy_reloaded"}
        if found.version == before.version:
            self._state = replace(before, reloads=before.reloads + 1, failed=None)
            _log.info("policy read again (%s): it says what it said", why, extra=extra)
            return
        self._state = replace(found, reloads=before.reloads + 1, failures=before.failures)
        for follower in self._followers:
            follower(found.policy)
        _log.info("policy reloaded (%s): %s", why, self._state, extra=extra)

    def _refuse(self, problems: tuple[str, ...], why: str) -> None:
        before = self._state
        failed = FailedReload(at=self._now(), problems=problems)
        self._state = replace(before, failures=before.failures + 1, failed=failed)
        extra = {"action": "policy_reload_failed"}
        for problem in problems:
            _log.error("policy not reloaded: %s", problem, extra=extra)
        _log.error(
            "policy not reloaded (%s), for %s: what was in force since %s stays so: %s",
            why,
            "the reason above" if len(problems) == 1 else f"the {len(problems)} reasons above",
            before.loaded_at,
            before,
            extra=extra,
        )
