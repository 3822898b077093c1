"""Looking names up in the store in memory: the twin of names.py."""

from collections.abc import Sequence

from ..core.facts import task_call
from ..core.matching import Scope
from .memory_tables import Tables


def has(tables: Tables, scope: Scope, scope_id: str) -> bool:
    """See ports.Store."""
    if any(task_call(task).scope_id(scope) == scope_id for task in tables.tasks.values()):
        return True
    return scope is Scope.AGENT and any(r.agent_name == scope_id for r in tables.all_runs.values())


def names(tables: Tables, scope: Scope, among: int) -> Sequence[str]:
    """See ports.Store."""
    tasks = sorted(tables.tasks.values(), key=lambda task: (task.created_at, task.task_id))
    found = [task_call(task).scope_id(scope) for task in tasks[max(len(tasks) - among, 0) :]]
    return [name for name in dict.fromkeys(found) if name is not None]
