"""One upstream answer for identical polls that come at the same time.

deepagents asks after every unfinished task up to five times a turn, and a reconnecting fleet asks
all at once. Within the window, polls with the same target and the same credentials share one
answer. A client that changes something on a thread sees its own change: anything but a read
forgets the thread's answers. So does news of one of its runs, from wherever it came: whoever sees a
run ended reads its result from the thread next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass

from ..core.changes import NewRun
from ..core.model import RunStatus, ThreadStatus
from ..ports import Headers


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, as it goes to every client that asked."""

    status: int
    reason: bytes
    fields: Headers
    body: bytes


@dataclass(slots=True)
class _Entry:
    key: Hashable
    thread_id: str
    expires: float
    future: asyncio.Future[Answer | None]


class Coalescer:
    """`window_s` runs from the moment the shared request was sent; 0 turns sharing off."""

    def __init__(self, window_s: float, *, now: Callable[[], float]) -> None:
        self._window_s = window_s
        self._now = now
        self._entries: dict[Hashable, _Entry] = {}
        self._threads: dict[str, set[Hashable]] = {}
        self.shared = 0
        """Calls that got the answer of another one, or wait for it."""

    @property
    def enabled(self) -> bool:
        return self._window_s > 0

    @property
    def remembered(self) -> int:
        """How many answers are remembered or awaited."""
        return len(self._entries)

    def share_for(self, window_s: float) -> None:
        """Go by another window from now on. Entries stand in the order of their expiry, so those
        there are go: their askers wait for them still."""
        if window_s != self._window_s:
            self._window_s = window_s
            self._entries.clear()
            self._threads.clear()

    async def share(
        self, key: Hashable, thread_id: str, ask: Callable[[], Awaitable[Answer | None]]
    ) -> Answer | None:
        """The answer of `ask`, or of an equal call within the window.

        None from `ask` means that its answer cannot be shared; then, and when `ask` fails, each
        caller is told None or gets the error for itself and asks on its own.
        """
        self._expire()
        entry = self._entries.get(key)
        if entry is not None:
            self.shared += 1
            return await asyncio.shield(entry.future)
        entry = self._enter(key, thread_id)
        try:
            answer = await ask()
        except BaseException:
            self._leave(entry)
            entry.future.set_result(None)
            raise
        if answer is None:
            self._leave(entry)
        entry.future.set_result(answer)
        return answer

    def forget(self, thread_id: str) -> None:
        """Something on the thread changes: later polls ask anew."""
        for key in self._threads.pop(thread_id, ()):
            self._entries.pop(key, None)

    # ports.Observer

    def runs_began(self, upstream: str, runs: Sequence[NewRun]) -> None:
        """See ports.Began."""
        if self._threads:
            for run in runs:
                self.forget(run.thread_id)

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer."""
        self.forget(thread_id)

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None:
        """See ports.Observer. The answer that told it is as new as can be: nothing is forgotten."""

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        """See ports.Observer."""
        self.forget(thread_id)

    def _enter(self, key: Hashable, thread_id: str) -> _Entry:
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        entry = _Entry(key, thread_id, self._now() + self._window_s, future)
        self._entries[key] = entry
        self._threads.setdefault(thread_id, set()).add(key)
        return entry

    def _leave(self, entry: _Entry) -> None:
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
            keys = self._threads.get(entry.thread_id)
            if keys is not None:
                keys.discard(entry.key)
                if not keys:
                    del self._threads[entry.thread_id]

    def _expire(self) -> None:
        """Entries stand in the order of their expiry."""
        now = self._now()
        while self._entries:
            oldest = next(iter(self._entries.values()))
            if oldest.expires > now:
                return
            self._leave(oldest)
