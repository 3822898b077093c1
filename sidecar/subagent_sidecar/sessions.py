"""What supervisors say of their sessions, as it comes in.

A heartbeat is answered from memory and written down a little later, many together: ten thousand
sessions that renew their leases would otherwise cost a commit each. An end is on record before it
is answered, for whoever says it may be gone the moment after.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .core.changes import SessionBeat, SessionEnded
from .core.model import LIVE, EndedBy, TaskQuery, TaskRecord, Timestamp, just_after
from .core.sessions import Session, SessionKey
from .errors import SessionOver, StoreError
from .ports import Store
from .recorder import Recorder

Listener = Callable[[str, str], None]
"""Is told the supervisor and the session. On the event loop, and never raises."""

_FLUSH_S = 2.0
_BELIEVED_S = 300.0
"""How long what was read of a session is believed: another process may end one, too."""

_KNOWN_LIMIT = 50_000
_TASKS = 1_000


@dataclass(frozen=True, slots=True)
class _Known:
    """`ended`: how the session stands on record, if it is over."""

    ended: Session | None
    read_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """What an end is about: the live tasks, at most a thousand; `more`: there are further ones.
    `again`: it was over before."""

    session: Session
    tasks: tuple[TaskRecord, ...]
    more: bool
    again: bool


class Sessions:
    """The heartbeats and ends of sessions."""

    def __init__(
        self,
        *,
        store: Store,
        recorder: Recorder,
        now: Callable[[], Timestamp],
        monotonic: Callable[[], float],
        flush_s: float = _FLUSH_S,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._now = now
        self._monotonic = monotonic
        self._flush_s = flush_s
        self._known: dict[SessionKey, _Known] = {}
        self._beats: dict[SessionKey, SessionBeat] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._listeners: list[Listener] = []
        self._beat_listeners: list[Listener] = []

    def on_ended(self, listener: Listener) -> None:
        """Call `listener` whenever an end is on record."""
        self._listeners.append(listener)

    def on_beat(self, listener: Listener) -> None:
        """Call `listener` with every heartbeat."""
        self._beat_listeners.append(listener)

    async def beat(
        self, supervisor: str, session_id: str, *, lease_s: int | None, reopen: bool
    ) -> Timestamp:
        """Renew a lease, and say since when. Raises SessionOver of a session that was ended,
        unless it is to be open again."""
        key = supervisor, session_id
        ended = await self._ended(key)
        if ended is not None and not reopen:
            raise _over(ended)
        at = _after(ended, self._now())
        for listener in self._beat_listeners:
            listener(supervisor, session_id)
        earlier = self._beats.get(key)
        self._beats[key] = SessionBeat(
            supervisor=supervisor,
            session_id=session_id,
            at=at,
            times=1 if earlier is None else earlier.times + 1,
            lease_s=lease_s,
            reopen=reopen or (earlier is not None and earlier.reopen),
        )
        if ended is not None:
            self._know(key, None)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(self._flush_s, self.hand_in)
        return at

    async def end(
        self, supervisor: str, session_id: str, *, by: EndedBy, reason: str | None
    ) -> SessionEnd:
        """Put on record that a session is over. Raises StoreError: then it is not."""
        self.hand_in()
        await self._recorder.entered()
        before = await self._store.session(supervisor, session_id)
        page = await self._store.tasks(
            TaskQuery(session_id=session_id, supervisor=supervisor, statuses=LIVE, limit=_TASKS)
        )
        ended = SessionEnded(
            supervisor=supervisor,
            session_id=session_id,
            by=by,
            at=_after(before, self._now()),
            reason=reason,
            tasks=_fresh(page.records, before),
        )
        await self._recorder.enter_now([ended])
        session = await self._store.session(supervisor, session_id)
        if session is None:  # pruned by a clock far ahead: it was ended all the same
            session = Session(
                supervisor=supervisor, session_id=session_id, ended_at=ended.at, ended_by=by
            )
        self._know((supervisor, session_id), session)
        for listener in self._listeners:
            listener(supervisor, session_id)
        return SessionEnd(
            session=session,
            tasks=page.records,
            more=page.next_after is not None,
            again=before is not None and before.ended,
        )

    def hand_in(self) -> None:
        """Have the heartbeats so far entered with what else was told."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        beats, self._beats = self._beats, {}
        for beat in beats.values():
            self._recorder.post(beat)

    async def _ended(self, key: SessionKey) -> Session | None:
        """The session if it is over. While the store cannot say, nobody is turned away."""
        known = self._known.get(key)
        if known is not None and self._monotonic() - known.read_at < _BELIEVED_S:
            return known.ended
        try:
            session = await self._store.session(*key)
        except StoreError:
            return None
        ended = session if session is not None and session.ended else None
        if (beat := self._beats.get(key)) is not None and beat.reopen:
            ended = None  # that is on its way to the store
        self._know(key, ended)
        return ended

    def _know(self, key: SessionKey, ended: Session | None) -> None:
        self._known.pop(key, None)
        self._known[key] = _Known(ended, self._monotonic())
        if len(self._known) > _KNOWN_LIMIT:
            for oldest in list(self._known)[: _KNOWN_LIMIT // 10]:
                del self._known[oldest]


def _over(session: Session) -> SessionOver:
    why = f": {session.reason}" if session.reason else ""
    return SessionOver(
        f"session '{session.session_id[:80]}' was ended by the {session.ended_by} at "
        f'{session.ended_at}{why}; a heartbeat with "reopen": true opens it again for what is '
        "started from then on",
        ended_at=session.ended_at,
    )


def _after(before: Session | None, now: Timestamp) -> Timestamp:
    """When something is said of a session: always later than what was said before. The books
    take what is older for a latecomer, and a wall clock may have been set back in between."""
    marks = () if before is None else (before.ended_at, before.reopened_at)
    return max([now, *(just_after(mark) for mark in marks if mark is not None)])


def _fresh(records: Sequence[TaskRecord], before: Session | None) -> tuple[str, ...]:
    """The tasks that no end before was about."""
    return tuple(
        record.task.task_id
        for record in records
        if before is None or not before.ended_after(last_start(record))
    )


def last_start(record: TaskRecord) -> Timestamp:
    """When a task was started or followed up last."""
    return max((run.created_at for run in record.runs), default=record.task.created_at)
