"""Reading trees of tasks from the store in memory: the twin of trees.py."""

from collections.abc import Sequence

from ..core.decisions import Decision, Verdict
from ..core.model import Event, Task, Timestamp
from ..core.trace_ids import trace_of
from ..core.trees import MOMENTS, TreePage
from .memory_listing import record
from .memory_tables import Tables


def tree(
    tables: Tables, tree_ids: Sequence[str], after: tuple[Timestamp, str] | None, limit: int
) -> TreePage:
    """See ports.Trees."""
    wanted = set(tree_ids)
    mine = [t for t in tables.tasks.values() if t.task_id in wanted or t.tree_id in wanted]
    mine.sort(key=_age)
    rest = [task for task in mine if after is None or _age(task) > after]
    page = rest[:limit]
    return TreePage(
        records=tuple(record(tables, task) for task in page),
        total=len(mine),
        next_after=_age(page[-1]) if page and len(rest) > limit else None,
    )


def moments(tables: Tables, task_ids: Sequence[str], each: int) -> Sequence[Event]:
    """See ports.Trees."""
    found = []
    for task_id in task_ids:
        mine = [e for e in tables.events if e.task_id == task_id and e.kind in MOMENTS]
        found += mine[max(len(mine) - each, 0) :]
    return sorted(found, key=lambda event: event.seq)


def refused_in(tables: Tables, sessions: Sequence[str], limit: int) -> Sequence[Decision]:
    """See ports.Trees."""
    wanted = set(sessions)
    denied = [d for d in tables.decisions if d.verdict is Verdict.DENY and d.call.session in wanted]
    return denied[max(len(denied) - limit, 0) :]


def trees_in(tables: Tables, trace_id: str, among: int) -> Sequence[str]:
    """See ports.Trees."""
    newest = sorted(tables.tasks.values(), key=_age)[::-1][:among]
    return sorted({t.tree_id or t.task_id for t in newest if trace_of(t) == trace_id})


def _age(task: Task) -> tuple[Timestamp, str]:
    return task.created_at, task.task_id
