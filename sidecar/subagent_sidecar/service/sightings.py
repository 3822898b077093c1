"""What the sidecar learns of runs and threads, from answers that pass by and by asking."""

from collections.abc import Callable, Sequence

from ..core import lifecycle
from ..core.changes import RunGone, RunSeen, ThreadCreated, ThreadGone, ThreadSeen
from ..core.model import EndedBy, RunStatus, Thread, ThreadStatus, Timestamp
from ..core.recovery import normalised
from ..ports import Observer
from ..recorder import Recorder
from .memory import Memory


class Sightings:
    """Told by whoever sees something. Only what is news is entered."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        memory: Memory,
        observers: Sequence[Observer],
        now: Callable[[], Timestamp],
    ) -> None:
        self._recorder = recorder
        self._memory = memory
        self._observers = observers
        self._now = now

    def thread_made(
        self,
        thread_id: str,
        *,
        upstream: str,
        supervisor: str,
        session_id: str | None,
        agent_name: str | None,
    ) -> None:
        self._memory.homes.setdefault(thread_id, upstream)
        thread = Thread(
            thread_id=thread_id,
            upstream=upstream,
            created_at=self._now(),
            supervisor=supervisor,
            session_id=session_id,
            agent_name=agent_name,
        )
        self._recorder.post(ThreadCreated(thread=thread), about=(thread_id,))

    def run(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        word: object,
        *,
        created_at: str | None = None,
    ) -> RunStatus | None:
        """A status in an answer; `created_at` as the server wrote it. Costs next to nothing when
        the status is the one already known."""
        status = lifecycle.run_status(word)
        if status is None or self._memory.statuses.get((upstream, run_id)) is status:
            return status
        self._memory.statuses[upstream, run_id] = status
        self._memory.threads.pop((upstream, thread_id), None)
        self._recorder.post(
            RunSeen(
                thread_id=thread_id,
                run_id=run_id,
                status=status,
                at=self._now(),
                created_at=None if created_at is None else normalised(created_at),
                upstream=upstream,
            )
        )
        for observer in self._observers:
            observer.run_moved(upstream, thread_id, run_id, status)
        return status

    def is_news(self, upstream: str, run_id: str, word: object) -> bool:
        """Whether a status in an answer is another than this process last saw the run in."""
        return lifecycle.run_status(word) is not self._memory.statuses.get((upstream, run_id))

    def thread(self, upstream: str, thread_id: str, word: object) -> ThreadStatus | None:
        """A thread's status in an answer; cheap when it is the one already known."""
        status = lifecycle.thread_status(word)
        if status is not None and self._memory.threads.get((upstream, thread_id)) is not status:
            self._memory.threads[upstream, thread_id] = status
            self._recorder.post(
                ThreadSeen(thread_id=thread_id, status=status, at=self._now(), upstream=upstream)
            )
            for observer in self._observers:
                observer.thread_moved(upstream, thread_id, status)
        return status

    def run_gone(
        self, upstream: str, thread_id: str, run_id: str, *, by: EndedBy, reason: str
    ) -> None:
        """The server does not have the run any more."""
        gone = RunGone(
            thread_id=thread_id,
            run_id=run_id,
            by=by,
            at=self._now(),
            reason=reason,
            upstream=upstream,
        )
        self._recorder.post(gone)
        for observer in self._observers:
            observer.run_moved(upstream, thread_id, run_id, RunStatus.INTERRUPTED)

    def thread_gone(self, upstream: str, thread_id: str, *, by: EndedBy, reason: str) -> None:
        """The server does not have the thread any more."""
        gone = ThreadGone(
            thread_id=thread_id, by=by, at=self._now(), reason=reason, upstream=upstream
        )
        self._recorder.post(gone)
        for observer in self._observers:
            observer.thread_gone(upstream, thread_id)
