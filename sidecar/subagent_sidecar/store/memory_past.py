"""Reading back from memory what was started, and what spoke against it: the twin of past.py."""

from typing import TYPE_CHECKING

from ..core.facts import task_call
from ..core.model import Run, Task
from ..core.past import DecisionPage, DecisionQuery, PastStart, StartPage, StartQuery, left_at
from .whole import after

if TYPE_CHECKING:
    from .memory_tables import Tables


def starts(tables: "Tables", query: StartQuery) -> StartPage:
    """See ports.Store."""
    found = [
        _start(run, task)
        for run in tables.all_runs.values()
        if _concerns(tables, task := tables.tasks[run.task_id], query.since)
    ]
    found.sort(key=lambda start: start.position)
    rest = [start for start in found if query.after is None or start.position > query.after]
    page = rest[: query.limit]
    more = len(rest) > len(page)
    return StartPage(
        starts=tuple(page),
        next_after=page[-1].position if more else None,
        whole_from=after(
            max((one.day for one in tables.sums.values()), default=None), tables.decided_before
        ),
    )


def _concerns(tables: "Tables", task: Task, since: str | None) -> bool:
    if since is None or task.ended_at is None or task.ended_at >= since:
        return True
    return any(run.at_large for run in tables.runs(task.task_id))


def _start(run: Run, task: Task) -> PastStart:
    newest = task.run_id == run.run_id
    return PastStart(
        call=task_call(
            task,
            fingerprint=run.fingerprint,
            update=run.kind == "update",
            agent=run.agent_name,
        ),
        run_id=run.run_id,
        at=run.created_at,
        task_at=task.created_at,
        request_id=run.request_id,
        parent_task_id=task.parent_task_id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        left_at=left_at(ended_at=run.ended_at, newest=newest, task_ended_at=task.ended_at),
        at_large=run.at_large,
        tokens=run.tokens,
        cost_micro_usd=run.cost_micro_usd,
        unpriced=run.unpriced,
        settled=run.settled,
    )


def decisions(tables: "Tables", query: DecisionQuery) -> DecisionPage:
    """See ports.Store."""
    listed = [decision for decision in tables.decisions if query.fits(decision)]
    if not query.oldest_first:
        listed.reverse()
    sign = 1 if query.oldest_first else -1
    rest = [d for d in listed if query.after is None or sign * d.seq > sign * query.after]
    page = rest[: query.limit]
    more = len(rest) > len(page)
    return DecisionPage(decisions=tuple(page), next_after=page[-1].seq if more else None)
