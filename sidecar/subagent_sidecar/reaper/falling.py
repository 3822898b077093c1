"""Ending what was planned: one tree after its own order, trees side by side."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ..core.cancel import TaskEnd, pause_after_failures
from ..core.candidates import SILENCE, Reap, ReapClaim
from ..core.model import EndedBy
from ..core.policy import Policy
from ..core.reap_plan import waves
from ..core.sessions import SessionKey
from ..errors import SidecarError, UpstreamError
from ..ports import TaskEnder
from ..service import Service
from .sighting import Sighting

_log = logging.getLogger(__name__)

_AT_ONCE = 16
"""Requests on their way to one server."""

_BEFORE_ITS_PARENT_S = 3.0
"""How long a task that has a parent to end is waited for."""


@dataclass(frozen=True, slots=True)
class Fall:
    """What became of one reap: `end` is None where it was not carried out, for `why`. `failed`: it
    is claimed all the same."""

    reap: Reap
    why: str = ""
    end: TaskEnd | None = None
    failed: bool = False


MOVED = "it has moved meanwhile, or somebody else ends it"
_OTHER_RULES = "the policy has changed meanwhile"


class Falling:
    """`fall` does it; whoever is asked to end a task sees to it that it does end. `heard` tells
    whether a session that is silent by the plan was heard since."""

    def __init__(
        self,
        *,
        service: Service,
        ender: TaskEnder,
        sighting: Sighting,
        heard: Callable[[SessionKey], Awaitable[bool]],
        now: Callable[[], float],
    ) -> None:
        self._service = service
        self._ender = ender
        self._sighting = sighting
        self._heard = heard
        self._now = now
        self._trouble: dict[str, tuple[int, float]] = {}
        """By upstream: how often in a row it did not answer, and when to ask again."""
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))

    def waits_for(self, upstream: str) -> bool:
        """Whether a server that did not answer is left alone for a while."""
        return upstream in self._trouble and self._now() < self._trouble[upstream][1]

    async def fall(
        self,
        tree: Sequence[Reap],
        claimed: Callable[[Reap], None],
        *,
        policy: Policy,
        wait_s: float = 0.0,
    ) -> list[Fall]:
        """End the tasks of a tree, the newest first: parents come before their children in `tree`.
        `claimed` is told of each that is this caller's to end. Nothing is claimed any more when
        another `policy` is in force than the one it was planned by. Raises StoreError."""
        looked = await asyncio.gather(*(self._look(reap) for reap in tree))
        if self._service.policy is not policy:
            return [Fall(reap, _OTHER_RULES) for reap in tree]
        mine = await self._claim([fall.reap for fall in looked if not fall.why])
        for reap in mine:
            claimed(reap)
        falls = {fall.reap.task_id: fall for fall in looked}
        for reap in tree:
            if reap not in mine and not falls[reap.task_id].why:
                falls[reap.task_id] = Fall(reap, MOVED)
        *earlier, last = waves(mine) or [[]]
        for wave in earlier:
            for fall in await self._end_all(wave, max(wait_s, _BEFORE_ITS_PARENT_S)):
                falls[fall.reap.task_id] = fall
        for fall in await self._end_all(last, wait_s):
            falls[fall.reap.task_id] = fall
        return [falls[reap.task_id] for reap in tree]

    async def _look(self, reap: Reap) -> Fall:
        try:
            async with self._slots[reap.upstream]:
                found = Fall(reap, "" if await self._sighting.as_judged(reap) else MOVED)
        except UpstreamError as error:
            failures = self._trouble.get(reap.upstream, (0, 0.0))[0] + 1
            pause = pause_after_failures(failures, refused=False)
            self._trouble[reap.upstream] = failures, self._now() + pause
            return Fall(reap, f"its server does not tell how it stands: {error.message}")
        self._trouble.pop(reap.upstream, None)
        return found

    async def _claim(self, reaps: Sequence[Reap]) -> list[Reap]:
        """Those that are ours; on record as to be ended."""
        self._service.polls.hand_in()
        await self._service.entered()
        reaps = await self._silent_still(reaps)
        at = self._service.now()
        claims = [ReapClaim(reap, at) for reap in reaps]
        mine = await self._service.cancels.claim_reaps(claims)
        found = [reap for reap, is_mine in zip(reaps, mine, strict=True) if is_mine]
        for reap in found:
            _log.info(
                "task %s (%s) is ended: %s",
                reap.task_id,
                reap.agent_name,
                reap.evidence,
                extra={"action": "reaped", "task_id": reap.task_id, "rule": reap.rule},
            )
        return found

    async def _silent_still(self, reaps: Sequence[Reap]) -> list[Reap]:
        """Servers take their time to show how tasks stand, and sessions may be heard meanwhile."""
        silent = {(reap.supervisor, reap.session_id) for reap in reaps if reap.key in SILENCE}
        heard = {key for key in silent if await self._heard(key)}
        return [
            reap
            for reap in reaps
            if reap.key not in SILENCE or (reap.supervisor, reap.session_id) not in heard
        ]

    async def _end_all(self, reaps: Sequence[Reap], wait_s: float) -> list[Fall]:
        return list(await asyncio.gather(*(self._end(reap, wait_s) for reap in reaps)))

    async def _end(self, reap: Reap, wait_s: float) -> Fall:
        try:
            end = await self.end(
                reap.upstream, reap.task_id, reap.run_id, reason=reap.reason, wait_s=wait_s
            )
            return Fall(reap, "", end)
        except SidecarError as error:
            _log.warning(
                "task %s could not be cancelled: %s; tried again",
                reap.task_id,
                error,
                extra={"action": "reap_failed", "task_id": reap.task_id},
            )
            why = f"it is claimed and could not be cancelled yet: {error}"
            return Fall(reap, why, failed=True)

    async def end(
        self, upstream: str, task_id: str, run_id: str, *, reason: str, wait_s: float
    ) -> TaskEnd:
        """Have a task whose run was claimed cancelled; what it was asked since then goes on.
        Raises TaskNotFound, StoreError."""
        async with AsyncExitStack() as stack:
            if wait_s <= _BEFORE_ITS_PARENT_S:  # a human's patience is no reason to hold others up
                await stack.enter_async_context(self._slots[upstream])
            return await self._ender.end_task(
                task_id, by=EndedBy.REAPER, reason=reason, wait_s=wait_s, up_to=run_id
            )
