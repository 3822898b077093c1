"""What supervisors are told with every answer while a budget is nearly spent."""

from itertools import islice
from typing import TypeVar

from ..core.budgets import Standing, remaining
from ..core.facts import item_call, items_of
from ..core.matching import Call
from ..core.model import Intent, IntentKind
from ..core.policy import Budget

K = TypeVar("K")
V = TypeVar("V")

_MOST_NEAR = 2_000
_MOST_TASKS = 20_000

_Key = tuple[str, str]
"""A rule's name and the id of a scope."""


class NearBudgets:
    """ports.Remaining. Costs those who ask nothing while no budget is near, and one look into a
    dictionary while one is."""

    def __init__(self) -> None:
        self.learns = False
        """Whether the calls of all starts are to be known: it saves a look at the record of each,
        where budgets are asked as soon as a run moves."""
        self._near: dict[_Key, Standing] = {}
        self._tasks: dict[str, Call] = {}
        self._told: dict[str, bytes | None] = {}

    # ports.Remaining

    def of_task(self, task_id: str) -> bytes | None:
        """See ports.Remaining."""
        if not self._near:
            return None
        if task_id in self._told:
            return self._told[task_id]
        call = self._tasks.get(task_id)
        if call is None:
            return None  # it may become known
        found = self._told[task_id] = self._value(call)
        _trim(self._told, _MOST_TASKS)
        return found

    def of_start(self, intent: Intent) -> bytes | None:
        """See ports.Remaining."""
        if not (self._near or self.learns) or intent.kind is IntentKind.CRON:
            return None
        call = item_call(intent, items_of(intent)[0])
        if call.task_id is not None:
            self.know(call.task_id, call)
        return self._value(call) if self._near else None

    # What the watch has found

    def know(self, task_id: str, call: Call) -> None:
        """Whose budgets to name when somebody asks after the task."""
        if task_id not in self._tasks:
            self._tasks[task_id] = call
            _trim(self._tasks, _MOST_TASKS)

    def call_of(self, task_id: str) -> Call | None:
        return self._tasks.get(task_id)

    def put(self, standing: Standing) -> bool:
        """How a budget stands in a scope now. Whether it has become near just now."""
        key = standing.budget.name, standing.scope_id
        before = self._near.get(key)
        if not standing.near:
            if self._near.pop(key, None) is not None:
                self._told.clear()
            return False
        if before != standing:
            self._near[key] = standing
            _trim(self._near, _MOST_NEAR)
            self._told.clear()
        return before is None

    def standings(self) -> list[Standing]:
        return list(self._near.values())

    def forget(self) -> None:
        """Other rules hold now."""
        self._near.clear()
        self._told.clear()

    def _value(self, call: Call) -> bytes | None:
        concerned = [s for s in self._near.values() if _is_in(call, s.budget, s.scope_id)]
        text = remaining(concerned)
        return None if text is None else text.encode("ascii")


def _is_in(call: Call, budget: Budget, scope_id: str) -> bool:
    return call.scope_id(budget.per) == scope_id and budget.concerns(call)


def _trim(table: dict[K, V], most: int) -> None:
    """Forget the oldest tenth of what has grown too large."""
    if len(table) > most:
        for key in list(islice(table, len(table) - most * 9 // 10)):
            del table[key]
