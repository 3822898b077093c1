"""What a change to a row means for the counts: every store tells its tallies by these."""

from collections.abc import Sequence
from itertools import zip_longest

from .facts import Fact, intent_facts, run_fact, task_call
from .model import Intent, Run, RunStatus, Task, TaskStatus
from .tallies import Tallies


def task_moves(tallies: Tallies, before: Task | None, task: Task) -> None:
    if task.live != (before is not None and before.live):
        tallies.task_moved(task_call(task), live=task.live)


def run_moves(tallies: Tallies, before: Run | None, run: Run, task: Task) -> None:
    if before is None and tallies.left is not None and _is_run(tallies.left, run, task):
        tallies.arrived((run.task_id, run.run_id))
        return
    old = None if before is None else run_fact(before, task)
    if before is not None and before.kind != run.kind:
        tallies.moved(old, None)  # found out to be no follow-up, or to be one
        old = None
    tallies.moved(old, run_fact(run, task))


def first_moves(tallies: Tallies, task: Task, run: Run) -> None:
    """Both moves of a task that was not there and its first run: most starts come to that."""
    start = tallies.left
    one_agent, live = run.agent_name is None, task.status is TaskStatus.PENDING
    if start is not None and one_agent and live and _is_run(start, run, task):
        tallies.arrived((run.task_id, run.run_id), with_task=True)
        return
    task_moves(tallies, None, task)
    run_moves(tallies, None, run, task)


def _is_run(start: Fact, run: Run, task: Task) -> bool:
    """Whether the fact of a run that was not there is that of the start, but for the unit: the rule
    for starts that have arrived, and told without making another fact."""
    call = start.call
    return (
        run.status is RunStatus.PENDING
        and run.cancel_asked_at is None
        and start.at == run.created_at
        and call.task_id == run.task_id
        and call.fingerprint == run.fingerprint
        and call.update == (run.kind == "update")
        and call.agent == (run.agent_name or task.agent_name)
        and call.session == task.session_id
        and call.supervisor == task.supervisor
        and call.upstream == task.upstream
        and call.depth == task.depth
        and call.tree_id == (task.tree_id or task.task_id)
    )


def intent_moves(tallies: Tallies, intent_id: str, intent: Intent | None) -> None:
    """`intent` is None for a start whose outcome is on record."""
    pending = tallies.pending
    if pending is None:
        return  # nothing was counted yet
    old = pending.pop(intent_id, ())
    new: Sequence[Fact] = ()
    if intent is not None:
        new = pending[intent_id] = intent_facts(intent)
    if not old:
        for fact in new:
            tallies.begun(fact)
        return
    for was, now in zip_longest(old, new):
        tallies.moved(was, now)
