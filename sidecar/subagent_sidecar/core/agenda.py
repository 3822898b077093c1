"""Which thread of one server to read next, and when. Pure: it is told the time, in seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from sys import intern

_LONGEST_PAUSE_S = 60.0


@dataclass(slots=True)
class _Entry:
    due: float
    tries: int = 0


class _Queue:
    """Threads by the time they are due. Moving or dropping one leaves its old place in the heap
    behind, to be passed over when it comes up."""

    def __init__(self) -> None:
        self.entries: dict[str, _Entry] = {}
        """By thread; not to be changed from outside."""
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, thread_id: object) -> bool:
        return thread_id in self.entries

    def put(self, thread_id: str, due: float, tries: int = 0) -> None:
        thread_id = intern(thread_id)  # others have it too
        self.entries[thread_id] = _Entry(due, tries)
        heappush(self._heap, (due, thread_id))

    def drop(self, thread_id: str) -> None:
        self.entries.pop(thread_id, None)

    def due(self, thread_id: str, by: float) -> _Entry | None:
        """What is kept of the thread, if it was due `by` then."""
        entry = self.entries.get(thread_id)
        return entry if entry is not None and entry.due <= by else None

    def first(self) -> tuple[float, str] | None:
        """The one that is due first, and when."""
        while self._heap:
            due, thread_id = self._heap[0]
            entry = self.entries.get(thread_id)
            if entry is not None and entry.due == due:
                return due, thread_id
            heappop(self._heap)
        return None


class Agenda:
    """Threads whose run has ended are read once, soon, and again only where that failed; threads
    at work every `interval_s` (0: not at all). The ended ones come first, so that with many of
    them, or with many at work and a bounded rate, the interval stretches.

    `jitter` gives factors around 1; first reads are spread as the starts were. Of each kind at most
    `limit` threads are kept.
    """

    def __init__(
        self,
        *,
        interval_s: float,
        settle_s: float,
        jitter: Callable[[], float],
        limit: int,
        tries: int,
    ) -> None:
        self._interval_s = interval_s
        self._settle_s = settle_s
        self._jitter = jitter
        self._limit = limit
        self._tries = tries
        self._begun: dict[str, float] = {}
        """Threads that were not read yet, and when they are due: each `interval_s` after it was
        heard of, so they stand in that order. Most end before."""
        self._working = _Queue()
        self._ended = _Queue()
        self._resume_at = 0.0
        self._pause_s = 0.0

    def __len__(self) -> int:
        return len(self._begun) + len(self._working) + len(self._ended)

    def working(self, thread_id: str, now: float) -> bool:
        """A run is going on. Whether that makes it the only thing there is to do."""
        begun, read = self._begun, self._working.entries
        if not self._interval_s or thread_id in begun or thread_id in read:
            return False
        others = len(begun) + len(read)
        if others >= self._limit:
            return False
        begun[thread_id] = now + self._interval_s
        return not others and not self._ended.entries

    def ended(self, thread_id: str, now: float) -> bool:
        """A run is over: what it left behind is final, but for a moment in which it settles.
        False when there are too many to take this one up as well."""
        self._rest(thread_id)
        taken = thread_id in self._ended or len(self._ended) < self._limit
        if taken:
            self._ended.put(thread_id, now + self._settle_s * self._jitter())
        return taken

    def forget(self, thread_id: str) -> None:
        self._rest(thread_id)
        self._ended.drop(thread_id)

    def next(self, now: float) -> str | None:
        """The thread to read now; it stays on the agenda until `read`, `refused` or `forget`."""
        if now < self._resume_at:
            return None
        for first in (self._ended.first(), self._first_working()):
            if first is not None and first[0] <= now:
                return first[1]
        return None

    def wait(self, now: float) -> float | None:
        """The seconds until something is due; None while nothing ever will be."""
        firsts = self._ended.first(), self._first_working()
        dues = [first[0] for first in firsts if first is not None]
        return max(0.0, max(min(dues), self._resume_at) - now) if dues else None

    def read(self, thread_id: str, asked: float, now: float) -> None:
        """The server answered what it was asked then. A run that ended since is still to be read
        after."""
        self._pause_s = 0.0
        if self._ended.due(thread_id, by=asked):
            self._ended.drop(thread_id)
        self._again(thread_id, now)

    def refused(self, thread_id: str, asked: float, now: float) -> bool:
        """The server does not answer for this thread. False when the end of its run will not be
        asked after again."""
        self._pause_s = 0.0
        entry = self._ended.due(thread_id, by=asked)
        self._again(thread_id, now)
        if entry is None:
            return True
        tries = entry.tries + 1
        if tries >= self._tries:
            self._ended.drop(thread_id)
            return False
        pause = min(2.0 ** (tries - 1), _LONGEST_PAUSE_S)
        self._ended.put(thread_id, now + pause * self._jitter(), tries)
        return True

    def _first_working(self) -> tuple[float, str] | None:
        """The one at work that is due first, and when."""
        read = self._working.first()
        if not self._begun:
            return read
        thread_id, due = next(iter(self._begun.items()))
        return (due, thread_id) if read is None or due < read[0] else read

    def _rest(self, thread_id: str) -> None:
        """It is not at work any more."""
        if self._begun.pop(thread_id, None) is None:
            self._working.drop(thread_id)

    def _again(self, thread_id: str, now: float) -> None:
        if self._begun.pop(thread_id, None) is not None or thread_id in self._working:
            self._working.put(thread_id, now + self._interval_s * self._jitter())

    def unreachable(self, thread_id: str, asked: float, now: float) -> bool:
        """The server does not answer at all: leave it alone for longer and longer, and begin with
        another thread then. Whether that is news."""
        news = not self._pause_s
        self._pause_s = min(self._pause_s * 2 or 1.0, _LONGEST_PAUSE_S)
        self._resume_at = now + self._pause_s * self._jitter()
        if (entry := self._ended.due(thread_id, by=asked)) is not None:
            self._ended.put(thread_id, now, entry.tries)
        self._again(thread_id, now)
        return news
