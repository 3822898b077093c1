"""What is going on, or may be, as the store in memory finds it."""

from collections.abc import Sequence

from ..core.model import LiveChain, Run, RunStatus, Task, Timestamp
from .memory_tables import Tables

_MAY_END_AS_ASKED = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.INTERRUPTED})


def live_tasks(tables: Tables, upstream: str, limit: int) -> Sequence[Task]:
    live = [t for t in tables.tasks.values() if t.live and t.upstream == upstream]
    return sorted(live, key=lambda task: (task.created_at, task.task_id))[:limit]


def live_chains(
    tables: Tables, upstream: str, after: tuple[Timestamp, str] | None, limit: int
) -> Sequence[LiveChain]:
    live = live_tasks(tables, upstream, len(tables.tasks))
    rest = [t for t in live if after is None or (t.created_at, t.task_id) > after]
    return [_chain(tables, task) for task in rest[:limit]]


def loose_ends(tables: Tables, upstream: str, limit: int) -> Sequence[LiveChain]:
    ended = [task for task in tables.tasks.values() if not task.live]
    ended.sort(key=lambda task: (task.ended_at or "", task.task_id), reverse=True)
    mine = [task for task in ended[:limit] if task.upstream == upstream]
    mine.sort(key=lambda task: (task.created_at, task.task_id))
    chains = [(task, _chain(tables, task)) for task in mine]
    return [chain for task, chain in chains if chain.runs or task.half_seen]


def _chain(tables: Tables, task: Task) -> LiveChain:
    return LiveChain(
        task_id=task.task_id,
        created_at=task.created_at,
        status=task.status,
        runs=tuple((run.run_id, run.status) for run in tables.runs(task.task_id) if not run.ended),
    )


def ends_asked(tables: Tables, limit: int) -> Sequence[tuple[str, str, str]]:
    asked = [
        run
        for run in tables.all_runs.values()
        if run.cancel_reason is not None and run.status in _MAY_END_AS_ASKED
    ]
    asked.sort(key=lambda run: (run.cancel_asked_at or "", run.task_id, run.run_id))
    return [
        (tables.tasks[run.task_id].upstream, run.task_id, run.run_id)
        for run in asked[max(len(asked) - limit, 0) :]
    ]


def open_cancels(tables: Tables, limit: int) -> Sequence[tuple[str, Run]]:
    found = [run for run in tables.all_runs.values() if run.cancel_open]
    found.sort(key=lambda run: (run.cancel_asked_at or "", run.task_id, run.run_id))
    return [(tables.tasks[run.task_id].upstream, run) for run in found[:limit]]
