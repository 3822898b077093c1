"""One task as a page to read: what it is, its runs, its story. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from subagentctl import fields
from subagentctl.echoes import Reasons, without_echoes
from subagentctl.fields import Record, count, moment, records
from subagentctl.listing import LIVE, TaskPage
from subagentctl.look import Look
from subagentctl.money import usage_long, usage_short
from subagentctl.render import View, as_json, is_unknown, status_text
from subagentctl.story import clause, style_of
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import clean, pad, wrap
from subagentctl.when import age, span, stamp

_KEY_WIDTH = 12
_NARROWEST_VALUE = 20

_RUN_COLUMNS = (
    Column(title="RUN", is_id=True, least=9, yields=1),
    Column(title="KIND"),
    Column(title="STATUS", cap=12),
    Column(title="STRATEGY", drops=1),
    Column(title="STARTED", drops=3),
    Column(title="AT WORK", right=True, drops=2),
    Column(title="USAGE", cap=20, drops=4),
    Column(title="REPLACED BY", is_id=True, cap=36, least=11, yields=2, drops=4),
)
_EVENT_COLUMNS = (
    Column(title="AFTER", right=True),
    Column(title="RUN", drops=1),
    Column(title="WHAT HAPPENED", ease=32, least=16, stretches=True),
)


def task_page(page: TaskPage, view: View) -> list[str]:
    """The lines of `subagentctl task ID`."""
    lines = _summary(page.task, view)
    runs = records(page.task, "runs")
    if runs:
        rows = [_run_row(run, view) for run in runs]
        lines += ["", view.look.paint("RUNS", "title"), *_indented(_RUN_COLUMNS, rows, view.look)]
    if page.events:
        told = map(Reasons().once, without_echoes(page.events))
        rows = [_event_row(event, page) for event in told]
        lines += ["", view.look.paint("TIMELINE", "title")]
        lines += _indented(_EVENT_COLUMNS, rows, view.look)
    return lines


def task_page_json(page: TaskPage) -> str:
    """The full record and all its events."""
    return as_json({"task": page.task, "events": page.events})


def _summary(task: Record, view: View) -> list[str]:
    """Aligned keys and values; what is not known is left out, except for the usage."""
    look = view.look
    status = fields.text(task, "status")
    pairs = (
        ("task", fields.text(task, "task_id")),
        ("status", _status(task, view)),
        ("unknown", _unknown(task, view.now)),
        ("cancel", _cancel(task, view.now)),
        ("agent", fields.text(task, "agent_name")),
        ("purpose", fields.text(task, "purpose")),
        ("session", fields.text(task, "session_id")),
        ("supervisor", fields.text(task, "supervisor")),
        ("upstream", fields.text(task, "upstream")),
        ("assistant", fields.text(task, "assistant_id")),
        ("parent", _parent(task)),
        ("created", _when(moment(task, "created_at"), view.now)),
        ("started", _when(moment(task, "started_at"), view.now)),
        ("ended", _ended(task, view.now)),
        ("expires", _expires(task, view.now)),
        ("checked", _when(moment(task, "last_checked_at"), view.now)),
        ("reason", fields.text(task, "reason").removeprefix("clock: ")),
        ("usage", usage_long(task) or look.unknown),
    )
    lines: list[str] = []
    for key, value in pairs:
        lines += _pair(key, clean(value).strip(), look, status if key == "status" else "")
    return lines


def _pair(key: str, value: str, look: Look, style: str) -> list[str]:
    """`key   value`, a long value going on under itself."""
    if not value:
        return []
    if look.width is None:
        first, *rest = [value]
    else:
        first, *rest = wrap(value, max(_NARROWEST_VALUE, look.width - _KEY_WIDTH))
    head = look.paint(pad(key, _KEY_WIDTH), "head")
    return [
        head + look.paint(first, style),
        *(" " * _KEY_WIDTH + look.paint(each, style) for each in rest),
    ]


def _status(task: Record, view: View) -> str:
    """`● running for 3m 12s`, or the plain word once it ended."""
    status = status_text(task)
    if fields.text(task, "status") not in LIVE:
        return status
    since = moment(task, "started_at") or moment(task, "created_at")
    elapsed = f" for {span((view.now - since).total_seconds())}" if since else ""
    return f"{view.look.live} {status}{elapsed}"


def _unknown(task: Record, now: datetime) -> str:
    """Since when the status is only the last one seen."""
    if not is_unknown(task):
        return ""
    since = _when(moment(task, "unknown_since"), now)
    words = "its server does not tell any more; the sidecar's log says why"
    return f"since {since}: {words}" if since else ""


def _cancel(task: Record, now: datetime) -> str:
    """How it stands with the newest cancel that has not come true."""
    for run in reversed(records(task, "runs")):
        if since := _when(moment(run, "cancel_unconfirmed_at"), now):
            upstream = fields.text(task, "upstream")
            where = f" on upstream {upstream}" if upstream else ""
            return (
                f"not obeyed: the run was seen to go on {since}. "
                f"The sidecar keeps trying; to be sure, end it{where} itself"
            )
        asked = _when(moment(run, "cancel_asked_at"), now)
        if asked and fields.text(run, "status") in LIVE:
            by = fields.text(run, "cancel_asked_by")
            return f"asked for {asked}{f', by {by}' if by else ''}; not seen to come true yet"
    return ""


def _parent(task: Record) -> str:
    parent, depth = fields.text(task, "parent_task_id"), count(task, "depth")
    if parent:
        return f"{parent} (this one at depth {depth})"
    return f"not known (this one at depth {depth})" if depth else ""


def _when(then: datetime | None, now: datetime) -> str:
    return f"{stamp(then)} ({age(then, now)} ago)" if then else ""


def _ended(task: Record, now: datetime) -> str:
    """When it ended, by whom, and how long it had been on record."""
    ended, created = moment(task, "ended_at"), moment(task, "created_at")
    if not ended:
        return ""
    by = fields.text(task, "ended_by")
    took = f", after {span((ended - created).total_seconds())}" if created else ""
    return _when(ended, now) + (f", by {by}" if by else "") + took


def _expires(task: Record, now: datetime) -> str:
    """When a clock of the policy would end it."""
    due = moment(task, "expires_at")
    if due is None:
        return ""
    clocks = {"queue": "queue_deadline", "run": "run_deadline", "total": "total_deadline"}
    named = [clock for clock, key in clocks.items() if moment(task, key) == due]
    left = (due - now).total_seconds()
    when = f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
    return f"{stamp(due)} ({when}, by the clock {', '.join(named) or 'waiting'})"


def _run_row(run: Record, view: View) -> list[Cell]:
    status = fields.text(run, "status")
    started = moment(run, "started_at")
    return [
        cell(fields.text(run, "run_id")),
        cell(fields.text(run, "kind")),
        cell(status, status),
        cell(fields.text(run, "strategy") or view.look.unknown),
        cell(f"{age(started, view.now)} ago" if started else view.look.unknown),
        cell(_took(run, view.now) or view.look.unknown),
        cell(usage_short(run) or view.look.unknown),
        cell(fields.text(run, "superseded_by")),
    ]


def _took(run: Record, now: datetime) -> str:
    """From start to end; a live run's clock still ticks. Of a run that was never seen at work,
    only at its end, nobody knows more than that it took less than its time on record."""
    started, ended = moment(run, "started_at"), moment(run, "ended_at")
    created = moment(run, "created_at")
    if started is None:
        return ""
    if ended and created and created < started == ended:
        return f"<{span((ended - created).total_seconds())}"
    if ended is None and fields.text(run, "status") not in LIVE:
        return ""
    return span(((ended or now) - started).total_seconds())


def _event_row(event: Record, page: TaskPage) -> list[Cell]:
    """The run is named where there are several."""
    several = len(records(page.task, "runs")) > 1
    return [
        cell(_after(event, page)),
        cell(fields.text(event, "run_id")[-8:] if several else ""),
        cell(clause(event), style_of(event)),
    ]


def _after(event: Record, page: TaskPage) -> str:
    """Time since the task was made, or since its first event."""
    start = moment(page.task, "created_at") or moment(page.events[0], "at")
    at = moment(event, "at")
    return f"+{span((at - start).total_seconds())}" if at and start else ""


def _indented(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], look: Look) -> list[str]:
    """A table two columns in, without the columns that are empty in every row."""
    used = [
        index for index in range(len(columns)) if any(row[index].text.strip("—-") for row in rows)
    ]
    inner = replace(look, width=look.width and max(1, look.width - 2))
    shown = [columns[index] for index in used]
    return [f"  {line}" for line in table(shown, [[r[i] for i in used] for r in rows], inner)]
