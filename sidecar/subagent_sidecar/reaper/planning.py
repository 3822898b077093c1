"""Reading what is live and asking the core what is to be done, in slices: nobody waits for it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ..core.ages import Ages
from ..core.candidates import SILENCE, Candidate, Reap
from ..core.reap import Judge
from ..core.reap_plan import with_descendants
from ..core.sessions import Session, SessionKey, SessionQuery
from ..ports import Clock, Store
from ..service import Service
from . import reading

_log = logging.getLogger(__name__)

_IN_ONE_GO = 250
"""Tasks that are looked through before requests get their turn."""

Look = Callable[[Sequence[Candidate], Ages], None]


class Planning:
    """What is known from one plan to the next. One plan is made at a time."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        upstreams: Sequence[str],
        look: Look,
    ) -> None:
        self.ages = Ages()
        self.parents: frozenset[str] = frozenset()
        """Whose end somebody has to be asked about."""
        self.live = 0
        """Tasks that the last plan looked at."""
        self.policy = service.policy
        """By which the last plan was made."""
        self._service = service
        self._store = store
        self._clock = clock
        self._upstreams = upstreams
        self._look = look

    async def plan(self, under_way: Collection[str]) -> list[Reap]:
        """What is to be done now, but for the tasks that are `under_way`. Raises StoreError."""
        self._service.polls.hand_in()
        await self._service.entered()
        live = await reading.candidates(self._store, self._upstreams)
        self.live = len(live)
        sessions = await reading.sessions(self._store)
        now = self._clock.monotonic()
        self._service.signs.take_in(now, live=len(live))
        self.ages.begin(now, self._clock.now())
        found: list[Candidate] = []
        for number, each in enumerate(live):
            try:
                self.ages.look(each)
            except (ValueError, TypeError) as error:  # it shall not keep the rest from its end
                _tell_unreadable(each, error)
            else:
                found.append(each)
            if not number % _IN_ONE_GO:
                await asyncio.sleep(0)
        self._hear(sessions)
        reaps = await self._judged(found, sessions, under_way)
        self._look(found, self.ages)
        self.ages.end()
        self.parents = frozenset(each.parent_task_id for each in found if each.parent_task_id)
        return reaps

    async def _judged(
        self,
        found: Sequence[Candidate],
        sessions: Mapping[SessionKey, Session],
        under_way: Collection[str],
    ) -> list[Reap]:
        self.policy = self._service.policy
        judge = Judge(self.policy, sessions, self.ages, self._service.signs.still_for)
        reaps: list[Reap] = []
        for number, each in enumerate(found):
            if not each.claimed and each.task_id not in under_way:
                reaps += judge.of(each)
            if not number % _IN_ONE_GO:
                await asyncio.sleep(0)
        reaps = await self._silent_for_sure(reaps)
        planned = with_descendants(reaps, found, judge)
        return [reap for reap in planned if reap.task_id not in under_way]

    async def _silent_for_sure(self, reaps: Sequence[Reap]) -> list[Reap]:
        """Without those for the silence of a session that was heard all the same: it started, or
        asked after, tasks that were over before any plan saw them."""
        heard: dict[SessionKey, bool] = {}
        found = []
        for reap in reaps:
            key = reap.supervisor, reap.session_id
            if reap.key in SILENCE:
                if key not in heard:
                    heard[key] = await self.was_heard(key)
                if heard[key]:
                    continue
            found.append(reap)
        return found

    async def was_heard(self, key: SessionKey) -> bool:
        """Whether a session that is silent for all that was known was heard since, by the record.
        Raises StoreError."""
        supervisor, session_id = key
        query = SessionQuery(session_id=session_id, supervisor=supervisor, limit=1)
        page = await self._store.sessions(query)
        if not page.sessions:
            return False
        sign = datetime.fromisoformat(page.sessions[0].last_sign_at)
        ago = (self._clock.now() - sign).total_seconds()
        # A time in the future was written by a clock that has been set since, and says nothing.
        return ago >= 0 and self.ages.heard_after_all(key, self._clock.monotonic() - ago)

    def _hear(self, sessions: dict[SessionKey, Session]) -> None:
        for session in list(sessions.values()):
            try:
                self.ages.hear(session)
            except (ValueError, TypeError) as error:
                _log.warning(
                    "what session %s said cannot be read: %s",
                    session.session_id,
                    error,
                    extra={"action": "reap_unreadable"},
                )
                del sessions[session.key]


def _tell_unreadable(candidate: Candidate, error: Exception) -> None:
    _log.warning(
        "task %s cannot be looked at: %s",
        candidate.task_id,
        error,
        extra={"action": "reap_unreadable", "task_id": candidate.task_id},
    )
