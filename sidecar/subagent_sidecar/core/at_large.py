"""Tasks that are cancelled on record while something of them goes on at their server.

They hold their places, since they are at work. But a supervisor finds them cancelled: it can
neither wait for them nor cancel them again, so a refusal names them apart.
"""

from dataclasses import replace

from .ledger import Ledger
from .policy import LimitKind
from .verdict import Deny


def apart(ledger: Ledger, deny: Deny) -> Deny:
    """With those of the tasks it names that are at large in a list of their own."""
    if deny.check.what == LimitKind.DUPLICATES:
        return deny  # those are to be looked at, whatever has become of them
    at_large = tuple(task_id for task_id in deny.tasks if _at_large(ledger, task_id))
    if not at_large:
        return deny
    others = tuple(task_id for task_id in deny.tasks if task_id not in at_large)
    return replace(deny, tasks=others, at_large=at_large)


def _at_large(ledger: Ledger, task_id: str) -> bool:
    task = ledger.task(task_id)
    if task is None or task.live:
        return False
    return any(run.at_large for run in ledger.runs(task_id))
