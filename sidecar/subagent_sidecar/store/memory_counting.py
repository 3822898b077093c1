"""core.tally.Source over the tables in memory: the twin of counting.py."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..core.facts import Fact, intent_facts, run_fact, task_call
from ..core.matching import Call
from ..core.model import Timestamp
from ..core.tallies import Place

if TYPE_CHECKING:
    from .memory_tables import Tables


def facts(tables: "Tables", place: Place, since: Timestamp | None) -> Iterator[Fact]:
    """See tally.Source."""
    return (fact for fact in _all(tables, place) if since is None or fact.at >= since)


def held(tables: "Tables", place: Place) -> Iterator[Fact]:
    """See tally.Source."""
    return (fact for fact in _all(tables, place) if fact.live)


def live_tasks(tables: "Tables", place: Place) -> Iterator[Call]:
    """See tally.Source."""
    for task in tables.tasks.values():
        call = task_call(task)
        if task.live and call.scope_id(place[0]) == place[1]:
            yield call


def _all(tables: "Tables", place: Place) -> Iterator[Fact]:
    scope, scope_id = place
    for run in tables.all_runs.values():
        fact = run_fact(run, tables.tasks[run.task_id])
        if fact.call.scope_id(scope) == scope_id:
            yield fact


def on_their_way(tables: "Tables") -> dict[str, Sequence[Fact]]:
    """See tally.Source."""
    return {i.intent_id: tuple(intent_facts(i)) for i in tables.intents.values()}
