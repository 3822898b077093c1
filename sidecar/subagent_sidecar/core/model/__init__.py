"""The nouns: threads, tasks, runs, intents, events, and the words for their states.

All are immutable values. Times are ISO-8601 UTC strings with `Z` and microseconds, so that they
sort as text; ids are the server's own strings.
"""

from .listing import LiveChain, TaskPage, TaskQuery, TaskRecord
from .records import Event, Intent, Item, Run, Task, Thread, in_order
from .usage import Usage, UsageEntry, total
from .words import (
    LIVE,
    EndedBy,
    IntentKind,
    RunStatus,
    TaskStatus,
    ThreadStatus,
    Timestamp,
    just_after,
    timestamp,
)

__all__ = [
    "LIVE",
    "EndedBy",
    "Event",
    "Intent",
    "IntentKind",
    "Item",
    "LiveChain",
    "Run",
    "RunStatus",
    "Task",
    "TaskPage",
    "TaskQuery",
    "TaskRecord",
    "TaskStatus",
    "Thread",
    "ThreadStatus",
    "Timestamp",
    "Usage",
    "UsageEntry",
    "in_order",
    "just_after",
    "timestamp",
    "total",
]
