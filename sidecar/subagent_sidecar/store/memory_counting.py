"""core.tally.Source over the tables in memory: the twin of counting.py."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..core.facts import Fact, Unit, intent_facts, run_fact, task_call
from ..core.matching import Call
from ..core.model import Timestamp
from ..core.quick import changed
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


def last_told(tables: "Tables") -> Timestamp | None:
    """See set_back.Books."""
    events = [event.at for event in tables.events[-1:]]
    return max([*events, *(task.created_at for task in tables.tasks.values())], default=None)


def counted_after(tables: "Tables", moment: Timestamp) -> dict[Unit, Timestamp]:
    """See set_back.Books."""
    counted = {key: run.counted_at or run.created_at for key, run in tables.all_runs.items()}
    return {key: at for key, at in counted.items() if at > moment}


def count_as_of(tables: "Tables", moments: Mapping[Unit, Timestamp]) -> None:
    """See set_back.Books."""
    for key, at in moments.items():
        tables.all_runs[key] = changed(tables.all_runs[key], counted_at=at)


def _all(tables: "Tables", place: Place) -> Iterator[Fact]:
    scope, scope_id = place
    for run in tables.all_runs.values():
        fact = run_fact(run, tables.tasks[run.task_id])
        if fact.call.scope_id(scope) == scope_id:
            yield fact


def on_their_way(tables: "Tables") -> dict[str, Sequence[Fact]]:
    """See tally.Source."""
    return {i.intent_id: tuple(intent_facts(i)) for i in tables.intents.values()}
