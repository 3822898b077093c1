"""What a change to a row means for the counts: every store tells its tallies by these."""

from collections.abc import Sequence
from itertools import zip_longest

from .facts import Fact, intent_facts, run_fact, task_call
from .model import Intent, Run, Task
from .tallies import Tallies


def task_moves(tallies: Tallies, before: Task | None, task: Task) -> None:
    if task.live != (before is not None and before.live):
        tallies.task_moved(task_call(task), live=task.live)


def run_moves(tallies: Tallies, before: Run | None, run: Run, task: Task) -> None:
    old = None if before is None else run_fact(before, task)
    if before is not None and before.kind != run.kind:
        tallies.moved(old, None)  # found out to be no follow-up, or to be one
        old = None
    tallies.moved(old, run_fact(run, task))


def intent_moves(tallies: Tallies, intent_id: str, intent: Intent | None) -> None:
    """`intent` is None for a start whose outcome is on record."""
    pending = tallies.pending
    if pending is None:
        return  # nothing was counted yet
    old = pending.pop(intent_id, ())
    new: Sequence[Fact] = ()
    if intent is not None:
        new = pending[intent_id] = tuple(intent_facts(intent))
    for was, now in zip_longest(old, new):
        tallies.moved(was, now)
