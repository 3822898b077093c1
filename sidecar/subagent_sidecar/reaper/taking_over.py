"""Claims that nobody seems to carry out: their process died, or could not ask.

A claim is on record with the cancel that it means, and whoever starts next pursues that. This is
for the process that goes on meanwhile beside the one that died, and for its own failures.
"""

import asyncio
import logging
from collections.abc import Sequence

from ..core.ages import Ages
from ..core.candidates import Candidate, Reap
from ..errors import SidecarError
from ..ports import Store
from ..tasks import spawn
from .falling import Falling

_log = logging.getLogger(__name__)

_PATIENCE_S = 120.0
"""How long another process may take before this one asks as well: a second cancel does no harm."""

_REASON = "Cancelled by the sidecar. Do not start it again unless the user asks."
_REMEMBERED = 50_000

_Run = tuple[str, str]


class TakingOver:
    """`look` is shown everything that is live, once a sweep."""

    def __init__(self, *, store: Store, falling: Falling) -> None:
        self._store = store
        self._falling = falling
        self._ours: dict[_Run, None] = {}
        self._failed: set[_Run] = set()
        self._working: set[asyncio.Task[None]] = set()

    def ours(self, reap: Reap) -> None:
        """This process has claimed it, and asks for its end."""
        self._note((reap.task_id, reap.run_id))

    def failed(self, reap: Reap) -> None:
        """It could not ask."""
        self._again(reap.task_id, reap.run_id)

    def _again(self, task_id: str, run_id: str) -> None:
        self._ours.pop((task_id, run_id), None)
        self._failed.add((task_id, run_id))

    def _note(self, run: _Run) -> None:
        self._ours[run] = None
        if len(self._ours) > _REMEMBERED:
            del self._ours[next(iter(self._ours))]

    def look(self, live: Sequence[Candidate], ages: Ages) -> None:
        """Take over what was claimed long ago and is live still."""
        for each in live:
            if not each.claimed or (each.task_id, each.run_id) in self._ours:
                continue
            since = ages.of(each.task_id).claimed_since
            failed = (each.task_id, each.run_id) in self._failed
            if failed or (since is not None and ages.now - since >= _PATIENCE_S):
                self._note((each.task_id, each.run_id))
                self._failed.discard((each.task_id, each.run_id))
                working = spawn(self._end(each), name=f"take over {each.task_id}")
                self._working.add(working)
                working.add_done_callback(self._working.discard)

    async def _end(self, candidate: Candidate) -> None:
        try:
            record = await self._store.task(candidate.task_id)
            runs = () if record is None else record.runs
            reasons = [run.cancel_reason for run in runs if run.run_id == candidate.run_id]
            reason = next((each for each in reasons if each), _REASON)
            await self._falling.end(
                candidate.upstream, candidate.task_id, candidate.run_id, reason=reason, wait_s=0.0
            )
        except SidecarError as error:
            _log.warning(
                "task %s could not be cancelled: %s; tried again",
                candidate.task_id,
                error,
                extra={"action": "reap_failed", "task_id": candidate.task_id},
            )
            self._again(candidate.task_id, candidate.run_id)

    async def settled(self) -> None:
        await asyncio.gather(*self._working, return_exceptions=True)

    async def aclose(self) -> None:
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
