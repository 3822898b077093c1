"""How old things are, whatever happens to the wall clock.

What is on record has wall times, and a wall clock can be set. So a difference of wall times is
believed once, and no further than it can be checked:

| first seen                        | its age is then                                              |
|-----------------------------------|--------------------------------------------------------------|
| in the first sweep of the process | what the wall times say                                      |
| later                             | what they say, but at most the time since the sweep before   |
| a task that is live once more     | what they say, by the clock as it is or by the clock as it   |
|                                   | was when the process began, whichever is less                |

From then on ages grow with the monotonic clock. A clock that is set thus moves an end by one
sweep at most.

Tasks that end, and sessions of which nothing is live, are remembered for a while: a task that is
asked to go on is as old as it was. Which of two things came first (a task, and the end of its
session or parent) is likewise told by the sweep in which each was seen first, and by wall times
only where that was the same one.

What a session was heard of last counts from the start of the process at the earliest: it could
not be heard while nobody was there to hear it.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from math import inf
from typing import TypeVar

from .candidates import Candidate
from .model import RunStatus, TaskStatus, Timestamp
from .sessions import Session, SessionKey

K = TypeVar("K")
V = TypeVar("V")

_BEHIND_S = 10.0
"""What is seen a moment late is no news."""

_REMEMBERED = 50_000
"""Tasks and sessions that are not there any more."""


@dataclass(slots=True)
class Seen:
    """A task. Moments are monotonic seconds; `run_first` is the sweep in which its current run was
    first seen, `gone` the one in which the task was first seen not to be live any more.

    `since`: the task began. `asked`: its current run was asked for. `phase_since`: that has been in
    `phase` since."""

    run_first: int
    since: float
    asked: float
    phase: tuple[str, TaskStatus, RunStatus]
    phase_since: float
    polls: int
    gone: int = 0
    claimed_since: float | None = None


@dataclass(slots=True)
class Heard:
    """A session. `sign_since`: it was last seen to do anything: it renewed its lease, started
    something, or asked after a task. `beat_since`: when it renewed its lease last, by the record.
    `ended`: the sweep in which its end was first seen, 0 where it has not ended."""

    sign_since: float
    since: int = 0
    """The sweep from which on something of it was live in every one."""
    beats: int = 0
    beat_since: float = 0.0
    ended: int = 0
    ended_at: Timestamp | None = None


class Ages:
    """Told of everything that is live in every sweep: `begin`, `look` and `hear`, `end`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sweep = 0
        self._started: tuple[float, datetime] | None = None
        self._wall: datetime
        self._before = 0.0
        self._tasks: dict[str, Seen] = {}
        self._last_tasks: dict[str, Seen] = {}
        self._gone: dict[str, Seen] = {}
        self._sessions: dict[SessionKey, Heard] = {}
        self._last_sessions: dict[SessionKey, Heard] = {}
        self._silent: dict[SessionKey, Heard] = {}
        self._closed: dict[str, tuple[Timestamp | None, int]] = {}
        self._told_beats: dict[SessionKey, float] = {}
        self._told_ended: dict[SessionKey, int] = {}

    def begin(self, now: float, wall: datetime) -> None:
        """A sweep at a monotonic moment and a wall time."""
        if self._started is None:
            self._started = now, wall
        self._before = self.now if self.sweep else now
        self.now, self._wall = now, wall
        self.sweep += 1

    @property
    def first(self) -> bool:
        """Whether nothing was known before this sweep."""
        return self.sweep == 1

    @property
    def process_age(self) -> float:
        """Seconds since the first sweep."""
        return 0.0 if self._started is None else self.now - self._started[0]

    def deaf(self, seconds: float) -> None:
        """Nobody could be heard for so long just now, for this process stood still. That is no
        silence of anybody's."""
        for heard in (*self._last_sessions.values(), *self._silent.values()):
            heard.sign_since += seconds

    def look(self, candidate: Candidate) -> Seen:
        """Take note of a live task."""
        phase = (candidate.run_id, candidate.status, candidate.run_status)
        heard = self._session(candidate.session)
        seen = self._last_tasks.get(candidate.task_id) or self._gone.pop(candidate.task_id, None)
        if seen is None:
            seen = self._new(candidate, phase)
            heard.sign_since = self.now
        elif seen.phase != phase:
            if seen.phase[0] != candidate.run_id:
                seen.run_first, heard.sign_since = self.sweep, self.now
                seen.asked = self.now - self._age(candidate.run_created_at)
            seen.phase, seen.phase_since = phase, self.now - self._age(_began(candidate))
        if seen.polls != candidate.polls:
            seen.polls, heard.sign_since = candidate.polls, self.now
        if not candidate.claimed:
            seen.claimed_since = None
        elif seen.claimed_since is None:
            seen.claimed_since = self.now
        self._tasks[candidate.task_id] = seen
        return seen

    def hear(self, session: Session) -> None:
        """Take note of a session on record that some live task is of. After all tasks."""
        heard = self._session(session.key)
        if session.last_beat_at is not None and heard.beats != session.beats:
            heard.beats = session.beats
            heard.beat_since = self._beat_since(session.key, session.last_beat_at, heard)
            if not self.first:
                heard.sign_since = max(heard.sign_since, heard.beat_since)
        if heard.ended_at != session.ended_at:
            heard.ended_at = session.ended_at
            told = self._told_ended.get(session.key, self.sweep)
            heard.ended = 0 if session.ended_at is None else told

    def session_beat(self, key: SessionKey, now: float) -> None:
        """A session renews its lease at a monotonic moment; told by those who saw it."""
        self._told_beats.pop(key, None)
        self._told_beats[key] = now
        _trim(self._told_beats)

    def heard_after_all(self, key: SessionKey, moment: float) -> bool:
        """A session was heard at a monotonic moment, as it turns out. Whether that is later than
        was known; nothing is of one without a live task."""
        heard = self._sessions.get(key) or self._last_sessions.get(key)
        if heard is None:
            return False
        later = moment > heard.sign_since + _BEHIND_S
        heard.sign_since = max(heard.sign_since, moment)
        return later

    def session_ended(self, key: SessionKey) -> None:
        """A session has ended just now: what will be seen first in the next sweep but one, and
        later, was started after that."""
        self._told_ended.pop(key, None)
        self._told_ended[key] = self.sweep + 1
        _trim(self._told_ended)

    def end(self) -> None:
        """Put aside what was not there any more."""
        for task_id, seen in self._last_tasks.items():
            if task_id not in self._tasks:
                seen.gone = self.sweep
                self._gone[task_id] = seen
        for key, heard in self._last_sessions.items():
            if key not in self._sessions:
                self._silent[key] = heard
        _trim(self._gone)
        _trim(self._silent)
        self._last_tasks, self._tasks = self._tasks, {}
        self._last_sessions, self._sessions = self._sessions, {}

    # What is known

    def of(self, task_id: str) -> Seen:
        """A task that was looked at, in this sweep or the last one."""
        return self._tasks.get(task_id) or self._last_tasks[task_id]

    def session(self, key: SessionKey) -> Heard:
        """Likewise."""
        return self._sessions.get(key) or self._last_sessions[key]

    def closed(self, candidate: Candidate) -> int:
        """The sweep in which its parent's end was first seen. Ask when all tasks were looked at."""
        parent, ended_at = candidate.parent_task_id or "", candidate.parent_ended_at
        noted = self._closed.get(parent)
        if noted is None or noted[0] != ended_at:
            seen = self._gone.get(parent) if noted is None else None
            noted = self._closed[parent] = ended_at, self.sweep if seen is None else seen.gone
            _trim(self._closed)
        return noted[1]

    # How it is known

    def _new(self, candidate: Candidate, phase: tuple[str, TaskStatus, RunStatus]) -> Seen:
        now, asked_at, began_at = self.now, candidate.run_created_at, _began(candidate)
        asked = now - self._age(asked_at)
        if candidate.created_at == asked_at:
            since = asked
        elif self.first:
            since = now - self._age(candidate.created_at)
        else:
            since = now - self._age_of_old(candidate.created_at)
        return Seen(
            run_first=self.sweep,
            since=since,
            asked=asked,
            phase=phase,
            phase_since=asked if began_at == asked_at else now - self._age(began_at),
            polls=candidate.polls,
        )

    def _session(self, key: SessionKey) -> Heard:
        heard = self._sessions.get(key)
        if heard is None:
            heard = self._last_sessions.get(key)
            if heard is None:
                heard = self._silent.pop(key, None) or Heard(self.now)
                heard.since = self.sweep
            self._sessions[key] = heard
        return heard

    def _age(self, at: Timestamp) -> float:
        """Of what was not there in the sweep before."""
        said = max((self._wall - datetime.fromisoformat(at)).total_seconds(), 0.0)
        return said if self.first else min(said, self.now - self._before)

    def _age_of_old(self, at: Timestamp) -> float:
        """Of a task from before that is live once more."""
        assert self._started is not None
        began, wall = self._started
        said = datetime.fromisoformat(at)
        steady = (wall - said).total_seconds() + self.now - began
        return max(min((self._wall - said).total_seconds(), steady), 0.0)

    def _beat_since(self, key: SessionKey, at: Timestamp, heard: Heard) -> float:
        """When a session renewed its lease last, which was not known in the sweep before."""
        told = self._told_beats.get(key)
        if heard.since < self.sweep:
            recent = self.now - self._age(at)
            return recent if told is None or told < self._before else told
        if told is not None:
            return told
        # Nothing of it was live, so it may be from long before. A time in the future was written
        # by a clock that has been set since: who knows when.
        said = (self._wall - datetime.fromisoformat(at)).total_seconds()
        return self.now - said if said >= 0 else -inf


def _trim(table: dict[K, V]) -> None:
    """Forget the oldest tenth of what has grown too large."""
    if len(table) > _REMEMBERED:
        for key in list(islice(table, len(table) - _REMEMBERED * 9 // 10)):
            del table[key]


def _began(candidate: Candidate) -> Timestamp:
    """When its run came to be as it is."""
    match candidate.run_status:
        case RunStatus.PENDING:
            return candidate.run_created_at
        case RunStatus.RUNNING:
            return candidate.run_started_at or candidate.run_created_at
        case _:
            return candidate.run_ended_at or candidate.run_created_at
