"""One live task as the watcher knows it, and what a word about its thread means for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .lifecycle import has_ended
from .model import EndedBy, Run, RunStatus, TaskRecord, ThreadStatus

NEVER = float("inf")


class Next(StrEnum):
    """What to do about a task whose thread's status was just seen."""

    LATER = "later"
    """Nothing has ended: look again in due course."""
    READ = "read"
    """Something has, or nobody knows: read its runs."""
    DONE = "done"
    """It is over, and so is watching it."""


@dataclass(slots=True, eq=False)
class Watched:
    """`live_runs` are those not seen to end, oldest first; `last_end` is how `newest` ended, None
    while it is live. `word` is the thread's status, None until it was seen since a run began.

    Times are monotonic seconds.
    `known`: the task is on record; of a task that others only were seen to poll it is not known.
    `step` counts the reads in a row; `wanted` reads go on although nothing seems to have ended.
    """

    task_id: str
    since: float
    live_runs: tuple[str, ...] = ()
    newest: str | None = None
    last_end: RunStatus | None = None
    word: ThreadStatus | None = None
    pending: bool = False
    known: bool = False
    wanted: bool = False
    reading: bool = False
    step: int = 0
    look_at: float = NEVER
    read_at: float = NEVER
    peek_at: float = NEVER
    missing_since: float | None = None

    def saw_run(self, run_id: str, status: RunStatus, now: float) -> None:
        """A run was accepted, or seen in `status`."""
        if has_ended(status):
            if run_id in self.live_runs:
                self.live_runs = tuple(each for each in self.live_runs if each != run_id)
                self.since = now
            if run_id == self.newest:
                self.last_end, self.pending = status, False
        elif run_id not in self.live_runs:
            self.live_runs = (*self.live_runs, run_id)
            self.newest, self.last_end, self.word = run_id, None, None
            self.pending, self.since = status is RunStatus.PENDING, now
        elif run_id == self.newest:
            self.pending = status is RunStatus.PENDING

    def had_runs(self, run_ids: Iterable[str]) -> None:
        """Runs of before that are live for all that is on record."""
        earlier = (each for each in run_ids if each not in self.live_runs)
        self.live_runs = (*earlier, *self.live_runs)

    @property
    def unsettled(self) -> bool:
        """Whether what is known does not fit together, or cannot be told by the thread alone: a
        chain's thread is busy whichever of its runs is going on."""
        if self.missing_since is not None or len(self.live_runs) > 1:
            return True
        if self.live_runs:
            return self.word not in (None, ThreadStatus.BUSY)
        return self.word is ThreadStatus.BUSY

    def saw_word(self, word: ThreadStatus | None) -> Next:
        """The thread was seen to be in `word`; None: the server knows no such thread."""
        waited = self.word is ThreadStatus.INTERRUPTED and not self.live_runs
        self.word = word
        verdict = Next.READ if word is None else self.after_word()
        if waited and verdict is Next.DONE:
            return Next.READ  # somebody went on with it, and that is over already
        return verdict

    def after_word(self) -> Next:
        """What the thread's `word` calls for."""
        if self.live_runs:
            return Next.LATER if self.word is ThreadStatus.BUSY else Next.READ
        match self.word:
            case ThreadStatus.BUSY:
                return Next.READ
            case ThreadStatus.INTERRUPTED if self.last_end in (None, RunStatus.SUCCESS):
                return Next.LATER  # it waits for a human, and may go on behind our back
            case _:
                return Next.DONE


ROLLED_BACK = "the run was rolled back"
RUN_LOST = "the server does not have the run any more"
THREAD_LOST = "the server does not have the thread any more"


@dataclass(frozen=True, slots=True)
class Gone:
    """Whose act took a run away. An explained one needs no second look."""

    by: EndedBy
    reason: str
    explained: bool


def why_gone(record: TaskRecord | None, run_id: str) -> Gone:
    """What the books know about a run that its server has no more: a cancel that was asked for, or
    a newer run that was to roll it back. A cancel alone explains nothing: most leave the run."""
    runs = {} if record is None else {run.run_id: run for run in record.runs}
    run = runs.get(run_id)
    if run is not None and run.cancel_asked_by is not None:
        return Gone(run.cancel_asked_by, RUN_LOST, False)
    if run is not None and _rolls_back(runs.get(run.superseded_by or "")):
        return Gone(EndedBy.SUPERVISOR, ROLLED_BACK, True)
    return Gone(EndedBy.SERVER_LOST, RUN_LOST, False)


def _rolls_back(newer: Run | None) -> bool:
    return newer is not None and newer.strategy == "rollback"
