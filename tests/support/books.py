"""Telling the books a story: one line a change, one second a line."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from subagent_sidecar.core import book
from subagent_sidecar.core.admission import admit
from subagent_sidecar.core.changes import (
    Accepted,
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Change,
    Doubted,
    NewRun,
    Polled,
    Released,
    RunGone,
    RunSeen,
    Start,
    ThreadCreated,
    ThreadGone,
    ThreadSeen,
    WaitingCancelled,
)
from subagent_sidecar.core.model import (
    EndedBy,
    Event,
    Intent,
    Run,
    RunStatus,
    Task,
    Thread,
    ThreadStatus,
    Timestamp,
    timestamp,
)
from subagent_sidecar.store.memory_tables import Tables

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> Timestamp:
    """That many seconds into the story."""
    return timestamp(_BEGIN + timedelta(seconds=seconds))


def start(number: int, thread_id: str | None = "t", **facts: Any) -> Start:
    """A start in second `number`, which also names its intent and request."""
    usual = {
        "request_id": f"req{number}",
        "intent_id": f"i{number}",
        "upstream": "up",
        "supervisor": "ann",
        "at": at(number),
        "thread_id": thread_id,
        "assistant_id": "graph",
    }
    return Start(**{**usual, **facts})


def accepted(
    intent: Intent,
    run_id: str,
    second: float,
    *,
    thread_id: str = "t",
    status: RunStatus = RunStatus.PENDING,
) -> Accepted:
    run = NewRun(run_id=run_id, thread_id=thread_id, status=status)
    return Accepted(intent=intent, at=at(second), runs=(run,))


@dataclass
class Story:
    """Books in memory, and shorthands for what happens to the task `t`."""

    tables: Tables = field(default_factory=Tables)
    second: int = 0

    def _next(self) -> Timestamp:
        self.second += 1
        return at(self.second)

    def apply(self, change: Change) -> None:
        book.apply(self.tables, change)

    def thread_created(self, thread_id: str = "t", **facts: Any) -> None:
        usual = {"upstream": "up", "supervisor": "ann", "created_at": self._next()}
        self.apply(ThreadCreated(thread=Thread(thread_id=thread_id, **{**usual, **facts})))

    def admitted(self, thread_id: str | None = "t", **facts: Any) -> Intent:
        self.second += 1
        return admit(self.tables, start(self.second, thread_id, **facts))

    def accepted(
        self,
        intent: Intent,
        run_id: str,
        *,
        thread_id: str = "t",
        status: RunStatus = RunStatus.PENDING,
    ) -> None:
        self._next()
        self.apply(accepted(intent, run_id, self.second, thread_id=thread_id, status=status))

    def started(self, run_id: str = "r1", thread_id: str = "t", **facts: Any) -> Intent:
        """A start and its answer."""
        intent = self.admitted(thread_id, **facts)
        self.accepted(intent, run_id, thread_id=thread_id)
        return intent

    def released(self, intent: Intent, reason: str = "no") -> None:
        self.apply(Released(intent=intent, at=self._next(), reason=reason))

    def doubted(self, intent: Intent, reason: str = "broke off") -> None:
        self.apply(Doubted(intent=intent, at=self._next(), reason=reason))

    def run_seen(
        self,
        run_id: str,
        status: RunStatus,
        *,
        thread_id: str = "t",
        created_at: Timestamp | None = None,
    ) -> None:
        seen = RunSeen(
            thread_id=thread_id,
            run_id=run_id,
            status=status,
            at=self._next(),
            created_at=created_at,
        )
        self.apply(seen)

    def thread_seen(self, status: ThreadStatus, *, thread_id: str = "t") -> None:
        self.apply(ThreadSeen(thread_id=thread_id, status=status, at=self._next()))

    def polled(self, times: int, *, task_id: str = "t") -> None:
        self.apply(Polled(task_id=task_id, times=times, at=self._next()))

    def cancel_asked(
        self, run_id: str, *, thread_id: str = "t", by: EndedBy = EndedBy.SUPERVISOR
    ) -> None:
        self.apply(CancelAsked(thread_id=thread_id, run_id=run_id, by=by, at=self._next()))

    def cancel_confirmed(self, run_id: str) -> None:
        self.apply(CancelConfirmed(thread_id="t", run_id=run_id, at=self._next()))

    def cancel_unconfirmed(self, run_id: str, tried: tuple[str, ...] = ("interrupt",)) -> None:
        at = self._next()
        self.apply(CancelUnconfirmed(thread_id="t", run_id=run_id, at=at, tried=tried))

    def cancel_undone(self, run_id: str) -> None:
        change = CancelUnconfirmed(thread_id="t", run_id=run_id, at=self._next(), again=True)
        self.apply(change)

    def waiting_cancelled(self, reason: str) -> None:
        change = WaitingCancelled(
            thread_id="t", by=EndedBy.OPERATOR, at=self._next(), reason=reason
        )
        self.apply(change)

    def run_gone(self, run_id: str, reason: str = "deleted", *, thread_id: str = "t") -> None:
        gone = RunGone(
            thread_id=thread_id,
            run_id=run_id,
            by=EndedBy.SUPERVISOR,
            at=self._next(),
            reason=reason,
        )
        self.apply(gone)

    def thread_gone(self, reason: str = "deleted", *, thread_id: str = "t") -> None:
        gone = ThreadGone(
            thread_id=thread_id, by=EndedBy.SUPERVISOR, at=self._next(), reason=reason
        )
        self.apply(gone)

    def task(self, task_id: str = "t") -> Task:
        found = self.tables.task(task_id)
        assert found is not None, f"no task {task_id}"
        return found

    def run(self, run_id: str, task_id: str = "t") -> Run:
        found = self.tables.run(task_id, run_id)
        assert found is not None, f"no run {run_id}"
        return found

    def runs(self, task_id: str = "t") -> list[str]:
        return [run.run_id for run in self.tables.runs(task_id)]

    def told(self, task_id: str = "t") -> list[str]:
        """The kinds of the task's events."""
        return [event.kind for event in self.events(task_id)]

    def events(self, task_id: str = "t") -> list[Event]:
        return [event for event in self.tables.events if event.task_id == task_id]
