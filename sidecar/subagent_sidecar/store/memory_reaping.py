"""What the reaper reads from the store in memory: the twin of reaping.py."""

from typing import TYPE_CHECKING

from ..core.candidates import END, Candidate, end_of
from ..core.model import Run, Task, Timestamp
from ..core.policy import OnEnd

if TYPE_CHECKING:
    from .memory_tables import Tables


def candidates(
    tables: "Tables", upstream: str, after: tuple[Timestamp, str] | None, limit: int
) -> list[Candidate]:
    """See ports.Store."""
    live = [t for t in tables.tasks.values() if t.live and t.upstream == upstream]
    live.sort(key=lambda task: (task.created_at, task.task_id))
    found = [
        _candidate(tables, task, run)
        for task in live
        if (after is None or (task.created_at, task.task_id) > after)
        and (run := tables.run(task.task_id, task.run_id or "")) is not None
    ]
    return found[:limit]


def _candidate(tables: "Tables", task: Task, run: Run) -> Candidate:
    parent = tables.task(task.parent_task_id or "")
    over = parent is not None and not (parent.live or parent.half_seen or parent.run_id is None)
    return Candidate(
        task_id=task.task_id,
        upstream=task.upstream,
        agent_name=task.agent_name,
        supervisor=task.supervisor,
        session_id=task.session_id,
        status=task.status,
        created_at=task.created_at,
        run_id=run.run_id,
        run_status=run.status,
        run_created_at=run.created_at,
        run_started_at=run.started_at,
        run_ended_at=run.ended_at,
        depth=task.depth,
        tree_id=task.tree_id,
        parent_task_id=task.parent_task_id,
        parent_end=parent.status if parent is not None and over else None,
        parent_ended_at=parent.ended_at if parent is not None and over else None,
        polls=task.polls,
        claimed=tables.has_reap(task.task_id, run.run_id, end_of(task.status, run.status)),
    )


def to_terminate(tables: "Tables", limit: int) -> list[tuple[str, str, str]]:
    """See ports.Store."""
    found = sorted(
        (claim.at, task_id, run_id)
        for (task_id, run_id, what), claim in tables.all_reaps.items()
        if what.startswith(END)
        and claim.reap.action is OnEnd.TERMINATE
        and (task_id, run_id) not in tables.closed_reaps
        and (task := tables.tasks.get(task_id)) is not None
        and not task.live
    )
    return [(tables.tasks[task_id].upstream, task_id, run_id) for _, task_id, run_id in found][
        :limit
    ]
