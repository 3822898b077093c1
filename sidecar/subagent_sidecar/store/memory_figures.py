"""What metrics ask of the store in memory: the twin of figures.py."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ..core.metrics.record import (
    COUNTED_KINDS,
    FOLDED,
    RULE_KINDS,
    RUN_MOVED,
    WORDS,
    Census,
    Happened,
    Live,
    RunTime,
    Sighting,
    Stretch,
    run_time,
)
from ..core.model import Event, Task
from .memory_tables import Tables


def census(tables: Tables) -> Census:
    """See ports.Figures."""
    groups: dict[tuple[str, str, str], list[Task]] = {}
    for task in tables.tasks.values():
        if task.live:
            groups.setdefault((task.upstream, task.agent_name, task.status), []).append(task)
    at_large = (run for run in tables.all_runs.values() if run.at_large)
    intents = tables.intents.values()
    return Census(
        live=tuple(_live(tasks) for _, tasks in sorted(groups.items())),
        unconfirmed=Counter(tables.tasks[run.task_id].upstream for run in at_large),
        under_way=Counter(one.upstream for one in intents if one.in_doubt is None),
        in_doubt=Counter(one.upstream for one in intents if one.in_doubt is not None),
        freezes=Counter(scope.value for scope, _ in tables.all_freezes),
    )


def _live(tasks: Sequence[Task]) -> Live:
    return Live(
        upstream=tasks[0].upstream,
        agent_name=tasks[0].agent_name,
        status=tasks[0].status,
        tasks=len(tasks),
        since=min(task.last_updated_at for task in tasks),
    )


def happened(tables: Tables, after: int, limit: int) -> Stretch:
    """See ports.Figures."""
    events = [event for event in tables.events if event.seq > after][:limit]
    if not events:
        last = tables.events[-1].seq if tables.events else 0
        return Stretch(upto=after, last=last)
    counted: Counter[_Key] = Counter()
    newest: dict[_Key, Sighting | None] = {}
    for event in events:
        if event.kind in COUNTED_KINDS:
            key = _alike(tables, event)
            counted[key] += _times_of(event)
            newest[key] = _sighting(tables, event)
    return Stretch(
        upto=events[-1].seq,
        last=tables.events[-1].seq,
        happened=tuple(
            Happened(
                kind=key[0] or "",
                times=times,
                upstream=key[1],
                agent_name=key[2],
                status=key[3],
                word=key[4],
                rule=key[5],
                policy=key[6],
                last=newest[key],
            )
            for key, times in sorted(counted.items(), key=lambda each: _order(each[0]))
        ),
        times=tuple(_times(tables, events)),
    )


_Key = tuple[str | None, ...]


def _sighting(tables: Tables, event: Event) -> Sighting | None:
    task = tables.tasks.get(event.task_id or "")
    if task is None:
        return None
    return Sighting(event.seq, event.at, task.trace_parent, task.tree_id or task.task_id)


def _times_of(event: Event) -> int:
    return int(event.detail.get("times", 1)) if event.kind == FOLDED else 1


def _order(key: _Key) -> list[tuple[bool, str]]:
    """None comes first, as in SQL."""
    return [(word is not None, word or "") for word in key]


def _alike(tables: Tables, event: Event) -> _Key:
    task = tables.tasks.get(event.task_id or "")
    names_rule = event.kind in RULE_KINDS
    return (
        event.kind,
        task.upstream if task else None,
        _agent(tables, task, event),
        str(event.status) if event.kind == "ended" else None,
        event.detail.get(WORDS[event.kind]) if event.kind in WORDS else None,
        event.detail.get("rule") if names_rule else None,
        event.detail.get("policy") if names_rule else None,
    )


def _agent(tables: Tables, task: Task | None, event: Event) -> str | None:
    if event.kind == "start_failed":
        return event.detail.get("agent")
    if task is None:
        return None
    run = tables.run(task.task_id, event.run_id or "") if event.kind == "updated" else None
    return (run.agent_name if run else None) or task.agent_name


def _times(tables: Tables, events: Sequence[Event]) -> Iterator[RunTime]:
    for event in events:
        if event.kind != RUN_MOVED:
            continue
        task = tables.tasks.get(event.task_id or "")
        run = tables.run(event.task_id or "", event.run_id or "")
        if task is None or run is None:
            continue
        found = run_time(
            upstream=task.upstream,
            agent_name=run.agent_name or task.agent_name,
            created=run.created_at,
            began=run.started_at,
            ended=run.ended_at,
            status=event.status or "",
            at=event.at,
            seen=_sighting(tables, event),
        )
        if found is not None:
            yield found
