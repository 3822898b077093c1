"""What brings deliveries to one target, and keeps out of the way of all others.

A delivery is claimed in the store before it is sent, and settled there after the answer. Who dies
in between leaves a claim that runs out: then it is sent once more, with the same id.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..core.model import TaskRecord, timestamp
from ..core.push import body as bodies
from ..core.push.deliveries import Delivery, Outcome, again_at, outcome
from ..core.push.signing import HEADER, signature
from ..core.push.targets import Target
from ..errors import StoreError
from ..ports import Clock, Store
from ..tasks import spawn
from .posting import Answer, Poster
from .secrets import Secrets

_log = logging.getLogger(__name__)

AT_ONCE = 4
_CLAIMED_FOR = timedelta(seconds=60)
"""Much longer than an attempt may take."""
_SUSPECT = 5
"""After so many failures in a row one attempt at a time, and those ever rarer, shows whether the
target is back: it may have thousands of ends to be told."""
_RAREST_S = 30.0

Shown = Callable[[TaskRecord], Mapping[str, Any]]


@dataclass(slots=True)
class Numbers:
    """Of one target, since this process began. `failed` are attempts."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0


class Sender:
    """`shown` writes a task's record; `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        *,
        target: Target,
        poster: Poster,
        secrets: Secrets,
        store: Store,
        clock: Clock,
        shown: Shown,
        chance: Callable[[], float],
    ) -> None:
        self.target = target
        self.numbers = Numbers()
        self._poster = poster
        self._secrets = secrets
        self._store = store
        self._clock = clock
        self._shown = shown
        self._chance = chance
        self._under_way: set[asyncio.Task[None]] = set()
        self._failing = 0
        self._rests_until = 0.0
        self._free = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._under_way)

    async def run(self, look_s: float) -> None:
        """For ever: send what is due. To be told of news with `wake`; looks by itself, too."""
        while True:
            self._free.clear()
            try:
                await self.turn()
            except StoreError as error:
                _log.debug("push to %s waits for the store: %s", self.target.name, error)
            try:
                async with asyncio.timeout(look_s):
                    await self._free.wait()
            except TimeoutError:
                continue

    def wake(self) -> None:
        self._free.set()

    async def turn(self) -> None:
        """Begin as many of those that are due as may be under way at once. Raises StoreError."""
        room = self._room()
        if room <= 0:
            return
        now = self._clock.now()
        due = await self._store.next_delivery(self.target.name)
        if due is None or due > timestamp(now):
            return
        claimed = await self._store.claim_deliveries(
            self.target.name,
            now=timestamp(now),
            until=timestamp(now + _CLAIMED_FOR),
            limit=room,
        )
        for each in claimed:
            task = spawn(self._deliver(each), name=f"push to {self.target.name}")
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _room(self) -> int:
        """How many more may be under way now."""
        if self._failing < _SUSPECT:
            return AT_ONCE - len(self._under_way)
        rested = self._clock.monotonic() >= self._rests_until
        return 1 - len(self._under_way) if rested else 0

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self.wake()

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            answer = await self._send(delivery)
            await self._settle(delivery, answer)
        except StoreError as error:
            # The claim runs out, and it is sent again: with its id, as its receiver was told.
            _log.warning(
                "push to %s: what became of %s is not on record: %s",
                self.target.name,
                delivery.id,
                error,
                extra={"action": "push_unsettled"},
            )

    async def _send(self, delivery: Delivery) -> Answer:
        secrets = await self._secrets.current()
        if not secrets:
            return Answer(status=None, problem="there is no secret to sign with")
        record = await self._store.task(delivery.task_id)
        body = bodies.body(delivery, None if record is None else self._shown(record))
        at = int(self._clock.now().timestamp())
        return await self._poster.post(
            body,
            {
                "Content-Type": "application/json",
                "User-Agent": "subagent-sidecar",
                HEADER: signature(secrets, at, body),
            },
        )

    async def _settle(self, delivery: Delivery, answer: Answer) -> None:
        match outcome(answer.status):
            case Outcome.DELIVERED:
                self._took_it()
                await self._store.settle_delivery(delivery, None)
                self.numbers.delivered += 1
            case Outcome.GONE:
                self.numbers.failed += 1
                await self._give_up(delivery, answer.problem)
            case Outcome.FAILED:
                self._took_it_not(answer)
                again = again_at(
                    delivery, self._clock.now(), chance=self._chance(), asked=answer.wait
                )
                if again is None:
                    await self._give_up(delivery, answer.problem)
                else:
                    await self._store.settle_delivery(delivery, again)

    async def _give_up(self, delivery: Delivery, problem: str) -> None:
        await self._store.settle_delivery(delivery, None)
        self.numbers.given_up += 1
        _log.warning(
            "push to %s: that task %s is %s was not told, after %d attempts: %s",
            self.target.name,
            delivery.task_id,
            delivery.status,
            delivery.attempts,
            problem,
            extra={"action": "push_given_up", "task_id": delivery.task_id},
        )

    def _took_it_not(self, answer: Answer) -> None:
        self.numbers.failed += 1
        self._failing += 1
        rest_s = min(2.0 ** (self._failing - _SUSPECT), _RAREST_S)
        self._rests_until = self._clock.monotonic() + rest_s
        if self._failing == 1:
            _log.warning(
                "push to %s fails: %s. It is tried again for a day",
                self.target.name,
                answer.problem,
                extra={"action": "push_fails"},
            )

    def _took_it(self) -> None:
        if self._failing:
            _log.info(
                "push to %s succeeds again", self.target.name, extra={"action": "push_succeeds"}
            )
        self._failing = 0

    async def aclose(self, within_s: float) -> None:
        """Let what is under way come to its end, within that time. Whoever called `run` has ended
        it."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within_s)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._poster.aclose()
