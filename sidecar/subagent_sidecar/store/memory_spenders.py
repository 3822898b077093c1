"""Who has spent how much of a budget, in memory: the twin of spenders.py."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from ..core.budgets import most_used
from ..core.facts import Fact, run_fact
from ..core.model import timestamp
from ..core.policy import NOTHING, Budget
from ..core.spending import Spending
from ..core.verdict import Spent
from . import memory_counting
from .memory_tables import Tables


def spenders(
    tables: Tables, budget: Budget, now: datetime, limit: int
) -> Sequence[tuple[str, Spent]]:
    """See ports.Store.spenders."""
    since = None if budget.window is None else timestamp(now - budget.window)
    scopes: dict[str, Spending] = {}
    for fact in _facts(tables):
        scope_id = fact.call.scope_id(budget.per)
        if scope_id is None or not budget.match.fits(fact.call):
            continue
        if since is None or fact.at >= since:
            scopes.setdefault(scope_id, Spending(budget, since)).move(None, fact)
    raises = tables.raises()
    found = (
        (
            scope_id,
            replace(
                spending.total(since, timestamp(now)),
                raised=raises.get((budget.name, scope_id), NOTHING),
                reserved=spending.reserved(since, timestamp(now)),
            ),
        )
        for scope_id, spending in scopes.items()
    )
    return most_used(budget, found, limit)


def _facts(tables: Tables) -> Iterator[Fact]:
    for run in tables.all_runs.values():
        yield run_fact(run, tables.tasks[run.task_id])
    yield from chain.from_iterable(memory_counting.on_their_way(tables).values())
