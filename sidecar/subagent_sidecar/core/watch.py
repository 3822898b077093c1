"""What to ask a server next about the tasks that are live on it. Pure; times are handed in.

Two sorts of questions, because of what servers can tell:

- A **look** asks for the status words of many threads in one request. `busy` means that nothing
  has ended, which is all there is to know about most tasks most of the time. Every task is looked
  at in due course, soon after something happened to it and then less and less often.
- A **read** asks for one task's runs. It follows a look that found the thread not busy any more,
  and comes by itself, a few times quickly, when somebody says that an end is near.

How often in due course is: `Schedule.interval` grows with the number of tasks, so that the rate
of looks stays put and the time to notice an end grows instead, up to a ceiling from which on the
rate grows again. What may begin in one second is bounded by the caller's `Pace` whatever happens.

A server that cannot search by ids is asked by reads alone (`batched` is False), and then the
interval is what the bound on requests allows.
"""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from sys import intern

from .changes import NewRun
from .model import RunStatus, ThreadStatus
from .pace import Pace
from .watched import NEVER, Next, Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Seconds, and how many of what a second.

    `quick_s` are the pauses between reads when an end is near. A task is looked at every `young_s`
    at first, then every `floor_s`; with many tasks less often, down to every `ceiling_s`.
    `longest_s` bounds the pauses between reads that do not settle anything. A run that is at work
    is read every `recheck_s` all the same: a thread is also busy with what others start on it.
    """

    quick_s: tuple[float, ...] = (0.05, 0.2, 0.5, 1.0, 2.0)
    young_s: float = 0.5
    floor_s: float = 2.0
    ceiling_s: float = 10.0
    longest_s: float = 60.0
    recheck_s: float = 120.0
    batch: int = 250
    batches_per_s: float = 5.0
    requests_per_s: float = 43.0
    burst: int = 4
    peeks_per_s: float = 2.0


_JITTER = 0.15
_AHEAD = 0.5
"""How much of the interval before its time a task may be looked at, for company."""
_MORE = 1.5
"""How much faster than steadily looks may come, to catch up."""


class Schedule:
    """The tasks of one upstream. `jitter` draws from 0 to 1."""

    def __init__(self, tempo: Tempo, jitter: Callable[[], float]) -> None:
        self.batched = True
        self._tempo = tempo
        self._jitter = jitter
        self._tasks: dict[str, Watched] = {}
        self._looks = _Queue(self._tasks, attrgetter("look_at"))
        self._reads = _Queue(self._tasks, attrgetter("read_at"))
        self._next_batch = 0.0
        self._peeks = Pace(tempo.peeks_per_s)

    def __len__(self) -> int:
        return len(self._tasks)

    def get(self, task_id: str) -> Watched | None:
        return self._tasks.get(task_id)

    def add(self, task_id: str, now: float) -> Watched:
        """Watch a task that just began; it is looked at once it has had a moment."""
        watched = self._new(task_id, now)
        self.look(watched, now + self._tempo.young_s)
        return watched

    def begin(self, run: NewRun, now: float) -> float | None:
        """Likewise, with its first run, of a task that is on record; every start comes by here.
        When it is looked at first; None if it is watched already."""
        task_id = run.thread_id
        if task_id in self._tasks:
            return None
        young_s = self._tempo.young_s
        at = now + young_s
        self._tasks[task_id] = Watched(
            task_id,
            now,
            (run.run_id,),
            run.run_id,
            pending=run.status is RunStatus.PENDING,
            known=True,
            look_at=at,
            peek_at=at + young_s,
        )
        self._looks.enter(at, task_id)
        return at

    def adopt(self, task_id: str, now: float) -> Watched:
        """Watch a task that is live from before; it is looked at when it suits, within the
        interval."""
        watched = self._new(intern(task_id), now)  # whoever else has read it shares it
        self.look(watched, now + self.interval * self._jitter())
        return watched

    def _new(self, task_id: str, now: float) -> Watched:
        watched = self._tasks[task_id] = Watched(task_id, since=now)
        watched.peek_at = now + self._tempo.young_s * 2
        return watched

    def drop(self, task_id: str) -> None:
        self._tasks.pop(task_id, None)

    @property
    def interval(self) -> float:
        """The longest time between two looks at a task, but for what the pace makes of it."""
        tempo, count = self._tempo, len(self._tasks)
        if not self.batched:
            return max(tempo.floor_s, count / (tempo.requests_per_s * 0.9))
        steady = count / tempo.batch / tempo.batches_per_s
        return min(max(tempo.floor_s, steady), tempo.ceiling_s)

    @property
    def queued(self) -> int:
        """Entries kept, those included that are not up to date any more."""
        return len(self._looks) + len(self._reads)

    # Planning

    def look(self, watched: Watched, at: float) -> None:
        watched.look_at = at
        self._looks.push(at, watched.task_id, len(self._tasks))

    def read(self, watched: Watched, at: float) -> None:
        watched.read_at = at
        self._reads.push(at, watched.task_id, len(self._tasks))

    def soon(self, watched: Watched, now: float) -> None:
        """An end is near: read a few times in a row, beginning at once."""
        watched.wanted, watched.step = True, 0
        self.read(watched, now + self._tempo.quick_s[0])

    def looked(self, watched: Watched, now: float) -> None:
        """Plan the next look. Pauses grow with the time since something last happened."""
        pause = min(max(now - watched.since, self._tempo.young_s), self.interval)
        self.look(watched, now + pause * (1 - _JITTER * self._jitter()))

    def glanced(self, watched: Watched, word: ThreadStatus | None, now: float) -> Next:
        """The thread's status was seen; None: the server knows no such thread. Plans what comes
        next, unless the task is done."""
        verdict = watched.saw_word(word)
        if verdict is Next.DONE:
            return verdict
        self.looked(watched, now)
        if verdict is Next.READ:
            if watched.read_at == NEVER and not watched.reading:
                watched.step = -1
                self.read(watched, now)
        elif now >= watched.peek_at:
            self._peek(watched, now)
        return verdict

    def _peek(self, watched: Watched, now: float) -> None:
        """A busy thread does not tell that its run was picked up, nor that it went on with another
        one: read it now and then, as far as there is room."""
        age = now - watched.since
        if not watched.pending and age < self._tempo.recheck_s:
            watched.peek_at = watched.since + self._tempo.recheck_s
        elif watched.live_runs and watched.read_at == NEVER and self._peeks.take_if_free(now):
            pause = min(max(age, self._tempo.young_s), self._tempo.longest_s)
            watched.peek_at = now + (pause if watched.pending else self._tempo.recheck_s)
            watched.step = len(self._tempo.quick_s)
            self.read(watched, now)

    def was_read(self, watched: Watched, now: float, *, failed: bool = False) -> None:
        """Plan the next read, if there is reason for one."""
        quick = self._tempo.quick_s
        watched.step += 1
        if watched.step >= len(quick):
            watched.wanted = False
        if watched.read_at != NEVER or not (watched.wanted or watched.unsettled or failed):
            return
        if watched.step < len(quick):
            pause = quick[max(watched.step, 0)]
        else:
            doublings = min(watched.step - len(quick), 16)
            pause = min(self.interval * 2**doublings, max(self._tempo.longest_s, self.interval))
        self.read(watched, now + pause * (1 - _JITTER * self._jitter()))

    # Asking

    def next_at(self) -> float:
        """When there will be something to ask."""
        looks = self._looks.head()
        return min(max(looks, self._next_batch) if looks != NEVER else NEVER, self._reads.head())

    def next_batch(self, now: float, group: Callable[[str], object]) -> list[Watched]:
        """Tasks of one `group` to look at in one request; only one where the server cannot do
        many. They are not planned for until `looked` at."""
        if self._looks.head() > now or self._next_batch > now:
            return []
        size = self._tempo.batch if self.batched else 1
        horizon = now + self.interval * _AHEAD
        batch: list[Watched] = []
        others: list[Watched] = []
        ours: object = None
        while len(batch) < size and len(others) < size and self._looks.head() <= horizon:
            watched = self._looks.pop()
            its = group(watched.task_id)
            if batch and its != ours:
                others.append(watched)
            else:
                ours, watched.look_at = its, NEVER
                batch.append(watched)
        for watched in others:
            self.look(watched, watched.look_at)
        if self.batched:
            share = len(batch) / size if others else 1.0
            self._next_batch = now + share / self._batches_per_s
        return batch

    @property
    def _batches_per_s(self) -> float:
        steady = len(self._tasks) / self._tempo.batch / self._tempo.ceiling_s
        return max(self._tempo.batches_per_s, steady) * _MORE

    def next_read(self, now: float) -> Watched | None:
        """The task to read that has waited longest."""
        while self._reads.head() <= now:
            watched = self._reads.pop()
            if not watched.reading:
                watched.read_at = NEVER
                return watched
            self.read(watched, now + self._tempo.quick_s[-1] / 10)
        return None


class _Queue:
    """Task ids by time. What is planned anew is pushed again; entries that are not up to date are
    skipped when they come up, and swept out when they are more than the others."""

    def __init__(self, tasks: Mapping[str, Watched], planned: Callable[[Watched], float]) -> None:
        self._tasks = tasks
        self._planned = planned
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def enter(self, at: float, task_id: str) -> None:
        """`push` what was not in it before, so that nothing is out of date by it."""
        heapq.heappush(self._heap, (at, task_id))

    def push(self, at: float, task_id: str, live: int) -> None:
        heapq.heappush(self._heap, (at, task_id))
        if len(self._heap) > 2 * live + 64:
            self._heap = [entry for entry in set(self._heap) if self._is_due(*entry)]
            heapq.heapify(self._heap)

    def head(self) -> float:
        heap = self._heap
        while heap:
            if self._is_due(*heap[0]):
                return heap[0][0]
            heapq.heappop(heap)
        return NEVER

    def pop(self) -> Watched:
        """The task at the head, when that was just looked at: so it is up to date."""
        return self._tasks[heapq.heappop(self._heap)[1]]

    def _is_due(self, at: float, task_id: str) -> bool:
        watched = self._tasks.get(task_id)
        return watched is not None and self._planned(watched) == at
