"""Tasks on record, as those whose spans come by."""

from subagent_sidecar.core.model import Run, RunStatus, Task, TaskRecord, TaskStatus

AT = "2026-09-21T14:13:20.000000Z"
AT_NS = 1_790_000_000_000_000_000
"""The same moment, as spans have it."""


def record(
    task_id: str,
    *runs: Run,
    depth: int = 0,
    tree_id: str | None = None,
    trace_parent: str | None = None,
    session_id: str = "s",
) -> TaskRecord:
    """A task with these runs, or with one that it was started with."""
    task = Task(
        task_id=task_id,
        upstream="default",
        agent_name="researcher",
        status=TaskStatus.RUNNING,
        session_id=session_id,
        supervisor="anonymous",
        created_at=AT,
        last_updated_at=AT,
        depth=depth,
        tree_id=tree_id,
        trace_parent=trace_parent,
    )
    return TaskRecord(task=task, runs=runs or (run(task_id, "r1"),), short_id=task_id)


def run(task_id: str, run_id: str, *, minute: int = 13) -> Run:
    """One that was asked for at that minute of the hour."""
    return Run(
        run_id=run_id,
        task_id=task_id,
        kind="start",
        status=RunStatus.RUNNING,
        created_at=AT.replace(":13:", f":{minute:02}:"),
        request_id=f"x-{run_id}",
    )
