"""The loop, and the same by hand.

    read what is live -> ages -> plan -> (each tree by itself) look, claim, end
                                     `-> what is only told of: claim

A sweep waits for no server: trees fall behind it, and what is on its way is left out of the next
plans. What cannot be done now (its server is down, a claim was too late) is planned again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import uniform
from typing import Any

from ..core.candidates import Planned, Reap, ReapClaim, Reaped
from ..core.lifecycle import has_ended
from ..core.model import RunStatus, ThreadStatus
from ..core.policy import Policy
from ..core.reap_plan import trees
from ..credentials import Credentials
from ..errors import StoreError
from ..ports import AgentServer, Clock, Reachability, Store, TaskEnder
from ..service import Service
from ..tasks import spawn
from .falling import Fall, Falling
from .planning import Planning
from .rests import company_s, rest_s
from .sighting import Sighting
from .taking_over import TakingOver
from .terminating import Terminating

_log = logging.getLogger(__name__)

_TREES = 500
"""Trees that fall at a time; more wait for the next sweep, which then comes at once. By hand they
wait for those before them, which is part of the time for which their ends are waited for."""

_STOOD_STILL_S = 2.0
"""How late the loop may be before it is taken to have stood still."""

_TOLD_TOGETHER = 100
_REMEMBERED = 100_000
_TRIES = 3
"""So often what is to be told once is claimed: it was told before, or just moved."""

_Tree = asyncio.Task[list[Fall]]


class Reaper:
    """ports.Observer, ports.Reaping. Nothing ends before `run`; an `interval_s` of 0 lets nothing
    end by itself."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
        ender: TaskEnder,
        reachability: Reachability,
        interval_s: float,
    ) -> None:
        self._service = service
        self._clock = clock
        self._reachability = reachability
        self.interval_s = interval_s
        self._falling = Falling(
            service=service,
            ender=ender,
            now=clock.monotonic,
            sighting=Sighting(service=service, servers=servers, credentials=credentials),
            heard=lambda session: self._planning.was_heard(session),
        )
        self._terminating = Terminating(
            service=service, store=store, clock=clock, servers=servers, credentials=credentials
        )
        self._taking_over = TakingOver(store=store, falling=self._falling)
        self._planning = Planning(
            service=service,
            store=store,
            clock=clock,
            upstreams=list(servers),
            look=self._taking_over.look,
        )
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(_TREES)
        self._told: dict[tuple[str, str, str], int] = {}
        self._under_way: dict[str, _Tree] = {}
        self._removing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    # Who tells of what

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer."""
        if has_ended(status) and thread_id in self._planning.parents:
            self._wake.set()

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None:
        """See ports.Observer. It tells whether a parent whose run succeeded waits for a human."""
        if thread_id in self._planning.parents:
            self._wake.set()

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        """See ports.Observer."""
        if thread_id in self._planning.parents:
            self._wake.set()

    def session_beat(self, supervisor: str, session_id: str) -> None:
        """A session renews its lease."""
        self._planning.ages.session_beat((supervisor, session_id), self._clock.monotonic())

    def session_ended(self, supervisor: str, session_id: str) -> None:
        """The end of a session is on record."""
        self._planning.ages.session_ended((supervisor, session_id))
        self._wake.set()

    # The loop

    async def run(self) -> None:
        """Sweep for ever."""
        while self.interval_s:
            self._wake.clear()
            began = self._clock.monotonic()
            try:
                await self.sweep()
            except StoreError as error:
                _log.warning(
                    "what is live cannot be looked at: %s; tried again in %g s",
                    error,
                    self.interval_s,
                    extra={"action": "sweep_failed"},
                )
            except Exception:  # noqa: BLE001 - whatever it is, the next sweep may do better
                _log.exception("a sweep failed", extra={"action": "sweep_failed"})
            took = self._clock.monotonic() - began
            interval_s = self.interval_s * uniform(0.9, 1.0)
            await self._rest(rest_s(interval_s, took_s=took, live=self._planning.live))

    async def _rest(self, pause_s: float) -> None:
        """Until something happens, or it is time. Who wakes up late stood still (SIGSTOP, a frozen
        container), and has heard nobody meanwhile."""
        began = self._clock.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._wake.wait()
            await asyncio.sleep(company_s(self._planning.live))
        late = self._clock.monotonic() - began - pause_s
        if late > _STOOD_STILL_S:
            self._planning.ages.deaf(late)

    async def sweep(self) -> None:
        """Look at everything once, and have done what is to be done. Raises StoreError."""
        async with self._turn:
            plan = await self._plan()
            for tree in trees(each.reap for each in plan if _can_end(each)):
                if len(self._under_way) >= _TREES:
                    self._wake.set()
                    break
                self._let_fall(tree)
            await self._tell([each.reap for each in plan if not each.reap.ends])
            if self._removing is None or self._removing.done():
                self._removing = spawn(self._remove(), name="reaper: terminate")

    async def _remove(self) -> None:
        with suppress(StoreError):  # the next sweep tells of it, if it lasts
            await self._terminating.turn()

    async def settled(self) -> None:
        """Wait until everything that is falling has fallen as far as it is waited for."""
        while self._under_way:
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._taking_over.settled()
        if self._removing is not None:
            await self._removing

    async def aclose(self) -> None:
        """Let nothing more fall. What was claimed is on record, and pursued after the next
        start."""
        tasks: list[asyncio.Task[Any]] = list(self._under_way.values())
        tasks += [self._removing] if self._removing is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._taking_over.aclose()

    # By hand: ports.Reaping

    async def planned(self) -> Sequence[Planned]:
        """See ports.Reaping."""
        async with self._turn:
            return await self._plan()

    async def reap(self, *, wait_s: float) -> Sequence[Reaped]:
        """See ports.Reaping."""
        async with self._turn:
            plan = await self._plan()
            ending = trees(each.reap for each in plan if _can_end(each))
            until = self._clock.monotonic() + wait_s
            for tree in ending:
                self._let_fall(tree, until=until)
            falling = [self._under_way[tree[0].task_id] for tree in ending]
            await self._tell([each.reap for each in plan if not each.reap.ends])
        falls = [fall for tree in await asyncio.gather(*falling) for fall in tree]
        ends = {fall.reap.task_id: fall for fall in falls}
        return [_reaped(each, ends.get(each.reap.task_id)) for each in plan]

    # What a plan comes to

    async def _plan(self) -> list[Planned]:
        reaps = await self._planning.plan(self._under_way.keys())
        return [Planned(reap, self._held(reap)) for reap in reaps]

    def _held(self, reap: Reap) -> str | None:
        """Why nothing can be done now. A cancel that nobody can verify is none."""
        if not reap.ends:
            return None
        if self._falling.waits_for(reap.upstream):
            return "its server did not answer just now"
        since = self._reachability.unknown_since(reap.upstream, reap.task_id)
        return since and f"its server does not tell how it stands, since {since[:19]}Z"

    async def _tell(self, reaps: Sequence[Reap]) -> None:
        """What is told once, and not done."""
        new = [reap for reap in reaps if self._told.get(_key(reap), 0) < _TRIES]
        for start in range(0, len(new), _TOLD_TOGETHER):
            part = new[start : start + _TOLD_TOGETHER]
            at = self._service.now()
            mine = await self._service.cancels.claim_reaps([ReapClaim(reap, at) for reap in part])
            for reap, is_mine in zip(part, mine, strict=True):
                tries = _TRIES if is_mine else self._told.get(_key(reap), 0) + 1
                self._told[_key(reap)] = tries
                if is_mine:
                    _log_told(reap)
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]

    def _let_fall(self, tree: Sequence[Reap], *, until: float = 0.0) -> None:
        policy = self._planning.policy
        falling = spawn(self._in_turn(tree, policy, until), name=f"reap {tree[0].task_id}")
        for reap in tree:
            self._under_way[reap.task_id] = falling
        falling.add_done_callback(lambda _: self._fallen(tree))

    async def _in_turn(self, tree: Sequence[Reap], policy: Policy, until: float) -> list[Fall]:
        async with self._places:
            wait_s = max(until - self._clock.monotonic(), 0.0)
            return await self._fall(tree, policy, wait_s)

    async def _fall(self, tree: Sequence[Reap], policy: Policy, wait_s: float) -> list[Fall]:
        try:
            falls = await self._falling.fall(
                tree, self._taking_over.ours, policy=policy, wait_s=wait_s
            )
        except StoreError as error:
            _log.warning(
                "what is to end cannot be claimed: %s; tried again",
                error,
                extra={"action": "reap_failed"},
            )
            return [Fall(reap, f"it could not be claimed: {error}") for reap in tree]
        for fall in falls:
            if fall.failed:
                self._taking_over.failed(fall.reap)
        return falls

    def _fallen(self, tree: Sequence[Reap]) -> None:
        for reap in tree:
            del self._under_way[reap.task_id]


def _can_end(planned: Planned) -> bool:
    return planned.reap.ends and planned.held is None


def _key(reap: Reap) -> tuple[str, str, str]:
    return reap.task_id, reap.run_id, reap.what


def _log_told(reap: Reap) -> None:
    words = "would be ended, if it were enforced" if reap.what.startswith("would") else "is left"
    _log.info(
        "task %s (%s) %s: %s",
        reap.task_id,
        reap.agent_name,
        words,
        reap.evidence,
        extra={"action": "reap_told", "task_id": reap.task_id, "rule": reap.rule},
    )


def _reaped(planned: Planned, fall: Fall | None) -> Reaped:
    if fall is None:
        return Reaped(planned.reap, planned.held, None)
    return Reaped(planned.reap, fall.why or None, fall.end)
