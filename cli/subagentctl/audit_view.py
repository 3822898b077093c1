"""What went around the sidecar, as a table and in sentences. Pure."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime

from subagentctl.fields import Record, count, moment, text
from subagentctl.look import Look
from subagentctl.policy_live import texts
from subagentctl.render import csv_cell
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import clean
from subagentctl.when import age

_COLUMNS = (
    Column(title="THREAD", is_id=True, least=8),
    Column(title="AGE", right=True),
    Column(title="AGENT", least=8, yields=1),
    Column(title="STATUS"),
    Column(title="SESSION", least=8, yields=0, drops=1, is_id=True),
    Column(title="UPSTREAM", drops=2),
    Column(title="WHY IT IS NOT ON RECORD", ease=20, least=8, stretches=True),
)
_WHY = {
    "around": "started past the sidecar",
    "before": "older than the record",
    "elsewhere": "started through another sidecar",
    "lost": "started through a sidecar, before this record began",
    "unstarted": "its thread was made here, its runs were started past the sidecar",
}
_FLAT = (
    "upstream",
    "thread_id",
    "agent_name",
    "assistant_id",
    "session_id",
    "cause",
    "status",
    "created_at",
    "updated_at",
    "run_id",
    "run_status",
)
_OTHERS = (
    ("known", "on record"),
    ("no_task", "no subagent's"),
    ("empty", "empty"),
    ("young", "younger than a minute"),
    ("forgotten", "older than the record is kept"),
)


def audit_lines(
    ghosts: Sequence[Record], audits: Sequence[Record], now: datetime, look: Look
) -> list[str]:
    """A table of the ghosts, and a line about each server."""
    lines = table(_COLUMNS, [_row(one, now, look) for one in ghosts], look) if ghosts else []
    return [*lines, *([""] if lines else []), *(_server(each) for each in audits)]


def _row(ghost: Record, now: datetime, look: Look) -> list[Cell]:
    thread, cause = text(ghost, "thread_id"), text(ghost, "cause")
    return [
        cell(thread if look.width is None else thread[-8:]),
        cell(age(moment(ghost, "created_at"), now) or look.unknown),
        cell(text(ghost, "agent_name")),
        cell(text(ghost, "run_status") or text(ghost, "status") or look.unknown),
        cell(text(ghost, "session_id") or look.unknown),
        cell(text(ghost, "upstream")),
        cell(_WHY.get(cause, cause)),
    ]


def _server(audit: Record) -> str:
    """`main: 2 tasks are not on record. Of 31 threads 20 are on record, 9 no subagent's.`"""
    ghosts, threads = count(audit, "ghosts"), count(audit, "threads")
    found = {0: "everything is on record", 1: "1 task is not on record"}
    said = found.get(ghosts, f"{ghosts:,} tasks are not on record")
    if count(audit, "more"):
        said = f"at least {said}"
    parts = [f"{count(audit, key):,} {words}" for key, words in _OTHERS if count(audit, key)]
    of = f" Of {threads:,} thread{'' if threads == 1 else 's'} {', '.join(parts)}." if parts else ""
    problem = text(audit, "problem")
    if problem and not threads:
        return clean(f"{text(audit, 'upstream')}: not audited: {problem}.")
    rest = f" Not all of it was looked at: {problem}." if problem else ""
    return clean(f"{text(audit, 'upstream')}: {said}.{of}{rest}")


def adopted_lines(
    adopted: Sequence[Record], left: Sequence[Record], audits: Sequence[Record]
) -> list[str]:
    """What became of each that was to be adopted, and what could not be looked at."""
    lines = [
        f"adopted: {text(one, 'task_id')} ({text(one, 'agent_name')} on {text(one, 'upstream')})"
        for one in adopted
    ]
    lines += [f"not adopted: {text(one, 'task_id')}: {text(one, 'problem')}" for one in left]
    problems = [f"{text(one, 'upstream')}: {text(one, 'problem')}" for one in audits]
    told = [line for line, one in zip(problems, audits, strict=True) if text(one, "problem")]
    return [clean(line) for line in [*(lines or ["There was nothing to adopt."]), *told]]


def audit_csv(ghosts: Sequence[Record]) -> str:
    """RFC 4180 with a header, one line for each ghost."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((*_FLAT, "evidence"))
    for ghost in ghosts:
        known = [csv_cell(ghost.get(key)) for key in _FLAT]
        writer.writerow([*known, csv_cell(" ".join(texts(ghost, "evidence")))])
    return out.getvalue()


def failed(audits: Sequence[Record]) -> bool:
    """Whether of some server less than all was looked at."""
    return any(text(audit, "problem") for audit in audits)
