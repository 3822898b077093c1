"""Whose threads are, in memory: the twin of owners.py."""

from collections.abc import Mapping, Sequence

from ..core.model import IntentKind
from ..core.owners import Owner
from .memory_tables import Tables


def owners(tables: Tables, thread_ids: Sequence[str]) -> Mapping[str, Owner]:
    """See ports.Owners."""
    asked = set(thread_ids)
    found = {
        intent.thread_id: Owner(intent.upstream, intent.supervisor)
        for intent in tables.intents.values()
        if intent.thread_id is not None
        and intent.thread_id in asked
        and intent.kind is not IntentKind.CRON
    }
    for thread_id in asked:
        for one in (tables.thread(thread_id), tables.task(thread_id)):
            if one is not None:
                found[thread_id] = Owner(one.upstream, one.supervisor)
    return found


def owned(tables: Tables, owner: Owner, limit: int) -> Sequence[str]:
    """See ports.Owners."""
    tasks = [t for t in tables.tasks.values() if (t.upstream, t.supervisor) == owner]
    tasks.sort(key=lambda task: (task.created_at, task.task_id), reverse=True)
    return [task.task_id for task in tasks[:limit]]
