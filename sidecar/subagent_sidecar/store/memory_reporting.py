"""What a report asks of the store in memory: the twin of reporting.py."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.decisions import Verdict
from ..core.facts import microseconds
from ..core.model import Run, RunStatus, Task, Timestamp
from ..core.report import (
    MOST_AGENTS,
    MOST_SESSIONS,
    PERCENTS,
    POLLED_OFTEN,
    SUPERSEDED,
    AgentRuns,
    Report,
    ReportQuery,
    SessionPolls,
    Times,
)
from .whole import after

if TYPE_CHECKING:
    from .memory_tables import Tables

_OWN_ENDS = frozenset({RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT})


@dataclass(frozen=True, slots=True)
class _Mine:
    """What the filters match, in place: tasks, and the runs of those with their agents."""

    tables: "Tables"
    query: ReportQuery

    def fits(self, task: Task) -> bool:
        query = self.query
        return query.upstream in (None, task.upstream) and query.session_id in (
            None,
            task.session_id,
        )

    @property
    def tasks(self) -> Iterator[Task]:
        for task in self.tables.tasks.values():
            lately = task.ended_at is None or task.ended_at >= self.query.since
            if lately and self.fits(task):
                yield task

    @property
    def runs(self) -> Iterator[tuple[str, Task, Run]]:
        for task in self.tasks:
            for run in self.tables.runs(task.task_id):
                yield run.agent_name or task.agent_name, task, run


def report(tables: "Tables", query: ReportQuery) -> Report:
    """See ports.Reports."""
    mine = _Mine(tables, query)
    counts = Counter(agent for agent, _, _ in mine.runs if query.agent_name in (None, agent))
    listed = sorted(counts, key=lambda agent: (-counts[agent], agent))
    refused, would_refuse = _refusals(mine)
    idle = [agent for agent in {**refused, **would_refuse} if agent not in counts]
    agents = [*listed, *idle][:MOST_AGENTS]
    return Report(
        agents=tuple(_agent(mine, agent, refused, would_refuse) for agent in agents),
        left_out=len(listed) + len(idle) - len(agents),
        sessions=_sessions(mine),
        whole_from=after(
            max((one.day for one in tables.sums.values()), default=None), tables.decided_before
        ),
    )


def _refusals(mine: _Mine) -> tuple[dict[str, dict[str, int]], Counter[str]]:
    query = mine.query
    counts: Counter[tuple[str, Verdict, str]] = Counter()
    for one in mine.tables.decisions:
        call = one.call
        if (
            one.at >= query.since
            and query.agent_name in (None, call.agent)
            and query.upstream in (None, call.upstream)
            and query.session_id in (None, call.session)
        ):
            counts[call.agent, one.verdict, one.rule or ""] += one.times
    refused: dict[str, dict[str, int]] = {}
    would_refuse: Counter[str] = Counter()
    for (agent, verdict, rule), times in sorted(counts.items(), key=lambda each: (-each[1], each)):
        if verdict is Verdict.DENY:
            refused.setdefault(agent, {})[rule] = times
        else:
            would_refuse[agent] += times
    return refused, would_refuse


def _agent(
    mine: _Mine, agent: str, refused: dict[str, dict[str, int]], would_refuse: Counter[str]
) -> AgentRuns:
    since = mine.query.since
    runs = [(task, run) for name, task, run in mine.runs if name == agent]
    counted = [run for _, run in runs if run.ended_at is None or run.ended_at >= since]
    ends = [run for run in counted if run.ended_at is not None]
    asked = [run for _, run in runs if run.created_at >= since]
    cut_off = Counter(_whose(run) for run in ends if run.status is RunStatus.INTERRUPTED)
    replaced = cut_off.pop(SUPERSEDED, 0)
    endings = Counter(run.status.value for run in ends if run.status in _OWN_ENDS)
    endings.update({SUPERSEDED: replaced} if replaced else {})
    endings.update({"cancelled": cut_off.total()} if cut_off else {})
    tasks = [task for task in mine.tasks if task.agent_name == agent]
    return AgentRuns(
        agent_name=agent,
        runs=len(runs),
        live=len(counted) - len(ends),
        started=sum(run.kind != "update" for run in asked),
        updated=sum(run.kind == "update" for run in asked),
        endings=endings,
        cancelled=cut_off,
        reaped=_reaped(mine, agent),
        ran=_times(_ran(run) for run in ends),
        queued=_times(_queued(run) for run in ends),
        tokens=sum(run.tokens for run in counted),
        cost_micro_usd=sum(run.cost_micro_usd for run in counted),
        metered=sum(run.tokens > 0 or run.unpriced > 0 for run in counted),
        unpriced=sum(run.unpriced > 0 for run in counted),
        refused=refused.get(agent, {}),
        would_refuse=would_refuse[agent],
        tasks=len(tasks),
        polls=sum(task.polls for task in tasks),
        live_ms=sum(_life(mine, task) for task in tasks),
        upstreams=tuple(sorted({task.upstream for task, _ in runs})),
    )


def _whose(run: Run) -> str:
    if run.cancel_asked_by is not None:
        return run.cancel_asked_by.value
    return SUPERSEDED if run.superseded_by is not None else "upstream"


def _reaped(mine: _Mine, agent: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for event in mine.tables.events:
        task = mine.tables.tasks.get(event.task_id or "")
        if event.kind != "reaped" or event.at < mine.query.since or task is None:
            continue
        run = mine.tables.run(task.task_id, event.run_id or "")
        if mine.fits(task) and ((run and run.agent_name) or task.agent_name) == agent:
            found[event.detail["key"]] += 1
    return dict(found)


def _ran(run: Run) -> int | None:
    """As in core.metrics.record: one that nobody saw at work counts with all its life."""
    if run.status not in _OWN_ENDS or run.started_at is None or run.ended_at is None:
        return None
    began = run.created_at if run.started_at == run.ended_at else run.started_at
    return _between(began, run.ended_at)


def _queued(run: Run) -> int | None:
    if _ran(run) is None or run.started_at is None or run.started_at == run.ended_at:
        return None
    return _between(run.created_at, run.started_at)


def _between(begin: Timestamp, end: Timestamp) -> int:
    return max(microseconds(end) // 1_000 - microseconds(begin) // 1_000, 0)


def _life(mine: _Mine, task: Task) -> int:
    return _between(task.created_at, task.ended_at or mine.query.now)


def _times(lengths: Iterable[int | None]) -> Times | None:
    listed = sorted(length for length in lengths if length is not None)
    if not listed:
        return None
    p50, p95, p99 = (listed[(len(listed) * p + 99) // 100 - 1] for p in PERCENTS)
    return Times(of=len(listed), p50=p50, p95=p95, p99=p99)


def _sessions(mine: _Mine) -> tuple[SessionPolls, ...]:
    groups: dict[tuple[str, str], list[Task]] = {}
    for task in mine.tasks:
        if task.polls >= POLLED_OFTEN and mine.query.agent_name in (None, task.agent_name):
            groups.setdefault((task.supervisor, task.session_id), []).append(task)
    found = [
        SessionPolls(
            session_id=session_id,
            supervisor=supervisor,
            tasks=len(tasks),
            polls=sum(task.polls for task in tasks),
            live_ms=sum(_life(mine, task) for task in tasks),
        )
        for (supervisor, session_id), tasks in groups.items()
    ]
    found.sort(
        key=lambda one: (-one.polls / max(one.live_ms, 1000), one.supervisor, one.session_id)
    )
    return tuple(found[:MOST_SESSIONS])
