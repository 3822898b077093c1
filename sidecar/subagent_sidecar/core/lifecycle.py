"""What becomes of a run and of its task when something is seen. Two tables, nothing else.

A supervisor's polls, other clients' polls, our own reads and late answers all arrive here in any
order, so the tables have to give the same end whatever the order. They do because of two rules:

1. **A run's end is final.** Some servers flip a finished run to cancelled when a late cancel
   arrives, some answer a cached "running" after the end. `RUN_TRANSITIONS` lets a run only move
   forward (pending -> running -> an end) and keeps the first end it saw.
2. **A task's status is not a memory, it is a function** of its current run's status and of the
   thread's status as seen since that run last moved (`TASK_STATUS`). langgraph says `success` for
   a run that stopped to ask a human; only the thread (`interrupted`) tells. A newer run, or the
   run's own end, makes the thread's status unknown again.

Both tables are complete: every pair is decided, and the tests walk them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from .model import RunStatus, TaskStatus, ThreadStatus

PENDING, RUNNING = RunStatus.PENDING, RunStatus.RUNNING
ENDS = frozenset({RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT, RunStatus.INTERRUPTED})

RUN_TRANSITIONS: Mapping[tuple[RunStatus, RunStatus], RunStatus] = MappingProxyType(
    {
        **{(PENDING, seen): seen for seen in RunStatus},
        **{(RUNNING, seen): seen for seen in RunStatus},
        (RUNNING, PENDING): RUNNING,
        **{(end, seen): end for end in ENDS for seen in RunStatus},
    }
)
"""(status on record, status seen) -> status on record afterwards."""

_FROM_RUN: Mapping[RunStatus, TaskStatus] = {
    RunStatus.PENDING: TaskStatus.PENDING,
    RunStatus.RUNNING: TaskStatus.RUNNING,
    RunStatus.SUCCESS: TaskStatus.SUCCESS,
    RunStatus.ERROR: TaskStatus.ERROR,
    RunStatus.TIMEOUT: TaskStatus.TIMEOUT,
    RunStatus.INTERRUPTED: TaskStatus.CANCELLED,
}

TASK_STATUS: Mapping[tuple[RunStatus, ThreadStatus], TaskStatus] = MappingProxyType(
    {
        **{(run, thread): _FROM_RUN[run] for run in RunStatus for thread in ThreadStatus},
        (RunStatus.SUCCESS, ThreadStatus.INTERRUPTED): TaskStatus.WAITING,
        (RunStatus.SUCCESS, ThreadStatus.BUSY): TaskStatus.RUNNING,
    }
)
"""(current run's status, thread's status since that run last moved) -> the task's status."""

RUN_WORDS: Mapping[str, RunStatus] = MappingProxyType(
    {
        **{status.value: status for status in RunStatus},
        "cancelled": RunStatus.INTERRUPTED,
        "canceled": RunStatus.INTERRUPTED,
    }
)
"""What servers mean by their words. Others change nothing."""
_THREAD_WORDS: Mapping[str, ThreadStatus] = {
    status.value: status for status in ThreadStatus if status is not ThreadStatus.UNSEEN
}


def run_status(word: object) -> RunStatus | None:
    """The status a server means by `word`; None for words we do not know, which change nothing."""
    return RUN_WORDS.get(word) if isinstance(word, str) else None


def thread_status(word: object) -> ThreadStatus | None:
    """The thread status a server means by `word`, or None."""
    return _THREAD_WORDS.get(word) if isinstance(word, str) else None


def next_run_status(on_record: RunStatus, seen: RunStatus) -> RunStatus:
    """What a run's record says after `seen` was seen."""
    return RUN_TRANSITIONS[on_record, seen]


def task_status(run: RunStatus, thread: ThreadStatus) -> TaskStatus:
    """What a task's record says, given its current run and its thread."""
    return TASK_STATUS[run, thread]


def has_ended(status: RunStatus) -> bool:
    """Whether a run in `status` will never change again."""
    return status in ENDS
