"""Looking names up in the store in memory: the twin of names.py."""

from collections.abc import Sequence

from ..core.facts import task_call
from ..core.matching import Scope
from ..core.model import IntentKind
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


def unrecorded(tables: Tables, upstream: str, thread_ids: Sequence[str]) -> dict[str, bool]:
    """See ports.Store."""
    tasks = {task.task_id for task in tables.tasks.values() if task.upstream == upstream}
    starts = {
        intent.thread_id
        for intent in tables.intents.values()
        if intent.upstream == upstream and intent.kind is not IntentKind.CRON
    }
    made = {thread.thread_id for thread in tables.threads.values() if thread.upstream == upstream}
    left = [one for one in dict.fromkeys(thread_ids) if one not in tasks and one not in starts]
    return {thread_id: thread_id in made for thread_id in left}
