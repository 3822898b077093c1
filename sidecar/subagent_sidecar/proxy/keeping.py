"""What became of starts that are to be made once, entered behind their answers.

A write that fails costs nothing but the exact answer: a retry finds the start on record all the
same, and is answered with the run as the server then shows it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ..core.idempotency import LARGEST_KEPT, Answer, Claim, Taken, expiry
from ..core.model import Intent
from ..errors import StoreError
from ..ports import Clock, Replies, ServerRun

_log = logging.getLogger(__name__)

_EVERY_S = 600.0
_AT_ONCE = 50


class Keeper:
    """`keep_bodies`: whether answers may be kept, which hold what was asked for word for word."""

    def __init__(
        self, *, replies: Replies, clock: Clock, keep_bodies: bool, every_s: float = _EVERY_S
    ) -> None:
        self._replies = replies
        self._clock = clock
        self._keep_bodies = keep_bodies
        self._every_s = every_s

    def settle(
        self, claim: Claim, intent_id: str, runs: Sequence[ServerRun], answer: Answer | None
    ) -> None:
        """The server took a start, with `runs` and this answer as far as they are known."""
        if answer is not None and not (self._keep_bodies and len(answer.body) <= LARGEST_KEPT):
            answer = None
        only = runs[0] if len(runs) == 1 else None
        taken = Taken(
            key=claim.key,
            intent_id=intent_id,
            thread_id=only.thread_id if only else None,
            run_id=only.run_id if only else None,
            answer=answer,
        )
        _post(lambda: self._replies.settle_reply(taken))

    def forget(self, claim: Claim, intent: Intent) -> None:
        """The start came to nothing."""
        _post(lambda: self._replies.forget_reply(claim.key, intent.intent_id))

    async def prune(self) -> int:
        """Remove what has expired; how many answers went."""
        upto = expiry(self._clock.now())
        total = 0
        while removed := await self._replies.prune_replies(upto, limit=_AT_ONCE):
            total += removed
        return total

    async def run(self) -> None:
        """Prune for ever."""
        while True:
            try:
                await self.prune()
            except StoreError as error:
                _log.warning("cannot remove expired answers now: %s", error)
            await asyncio.sleep(self._every_s)


def _post(write: Callable[[], "asyncio.Future[None]"]) -> None:
    try:
        write().add_done_callback(_look)
    except StoreError as error:
        _told(error)


def _look(done: "asyncio.Future[None]") -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        _told(error)


def _told(error: BaseException) -> None:
    _log.warning(
        "the answer to a start with a key is not kept: %s",
        error,
        extra={"action": "reply_not_kept"},
    )
