"""A listing of tasks, as a table for people and as CSV and JSON for programs. Pure."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from subagentctl import fields
from subagentctl.fields import Record, count, moment, nested, records, short_id
from subagentctl.listing import LIVE, Listing, Query
from subagentctl.look import Look
from subagentctl.money import usage_short
from subagentctl.server import Server
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import clean
from subagentctl.when import age

_COLUMNS = (
    Column(title="", least=1),
    Column(title="ID"),
    Column(title="AGE", right=True),
    Column(title="AGENT", cap=20, least=14, yields=2),
    Column(title="STATUS", cap=12),
    Column(title="RUNS", right=True, drops=1),
    Column(title="UPSTREAM", cap=14, least=8, yields=3, drops=2),
    Column(title="SESSION", cap=18, least=9, yields=1, drops=4, is_id=True),
    Column(title="USAGE", cap=20, drops=3),
    Column(title="PURPOSE", ease=12, least=12, drops=5, stretches=True),
)
_DEEPEST_SHOWN = 4

_FLAT = (
    *("task_id", "short_id", "agent_name", "status", "session_id", "supervisor", "upstream"),
    *("assistant_id", "parent_task_id", "depth", "thread_id", "run_id", "created_at"),
    *("started_at", "ended_at", "last_checked_at", "last_updated_at", "ended_by", "reason"),
    "purpose",
)
_USAGE = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("cost_usd", "model"),
)
_FORMULA_STARTS = tuple("=+-@＝＋－＠")  # noqa: RUF001  # spreadsheets obey the wide ones too


@dataclass(frozen=True, slots=True)
class View:
    """Where and when a rendering is read."""

    look: Look
    now: datetime


def task_table(tasks: Sequence[Record], view: View) -> list[str]:
    """One line a task. RUNS, UPSTREAM and USAGE are shown where they tell something apart."""
    told = {
        "RUNS": any(run_count(task) > 1 for task in tasks),
        "UPSTREAM": len({fields.text(task, "upstream") for task in tasks}) > 1,
        "USAGE": any(usage_short(task) for task in tasks),
    }
    shown = [column for column in _COLUMNS if told.get(column.title, True)]
    rows = [[_cell(column.title, task, view) for column in shown] for task in tasks]
    return table(shown, rows, view.look)


def _cell(title: str, task: Record, view: View) -> Cell:
    status = fields.text(task, "status")
    match title:
        case "":
            return cell(view.look.live if status in LIVE else "", status)
        case "ID":
            return cell(short_id(task))
        case "AGE":
            return cell(age(moment(task, "created_at"), view.now))
        case "AGENT":
            return agent_cell(task, view.look)
        case "STATUS":
            return cell(status_text(task), "alarm" if goes_on(task) else status)
        case "RUNS":
            return cell(str(run_count(task)))
        case "USAGE":
            return _or_unknown(usage_short(task), view.look)
        case "SESSION":
            return _or_unknown(fields.text(task, "session_id"), view.look)
        case _:
            return _or_unknown(fields.text(task, title.lower()), view.look)


def status_text(task: Record) -> str:
    """The status; with `!` where a cancel is not obeyed, with `?` where nobody can tell whether
    it is still the one."""
    if task.get("in_doubt") is True:
        return "in doubt"
    status = fields.text(task, "status")
    return status + ("!" if goes_on(task) else "") + ("?" if is_unknown(task) else "")


def goes_on(task: Record) -> bool:
    """Whether a run was cancelled and goes on all the same, whatever its server calls it."""
    return any(fields.text(run, "cancel_unconfirmed_at") for run in records(task, "runs"))


def is_unknown(task: Record) -> bool:
    """Whether a task was live when its server was last heard of."""
    return fields.text(task, "status") in LIVE and bool(fields.text(task, "unknown_since"))


def _or_unknown(text: str, look: Look) -> Cell:
    return cell(text) if text else cell(look.unknown, "dim")


def agent_cell(task: Record, look: Look) -> Cell:
    """The agent, set in by its depth; below the fourth level the number is said instead."""
    agent = fields.text(task, "agent_name") or look.unknown
    depth = count(task, "depth")
    if not depth:
        return cell(agent)
    if depth > _DEEPEST_SHOWN:
        return Cell(f"{look.nested}{depth} {clean(agent)}")
    return Cell(f"{'  ' * (depth - 1)}{look.nested} {clean(agent)}")


def run_count(task: Record) -> int:
    return len(records(task, "runs"))


def footer(listing: Listing, query: Query) -> str:
    """How many tasks there are, how many live, and how to see the ones left out."""
    live = sum(fields.text(task, "status") in LIVE for task in listing.tasks)
    total = len(listing.tasks)
    parts = [f"{total:,} task{'' if total == 1 else 's'}, {live:,} live."]
    if any(map(is_unknown, listing.tasks)):
        parts.append("A status with ? is the last one seen: its server does not tell any more.")
    if any(map(goes_on, listing.tasks)):
        parts.append("A task with ! was cancelled and goes on: `subagentctl task ID` tells more.")
    if listing.more:
        parts.append(f"More were left out by --limit {query.limit}; --limit 0 shows all.")
    if listing.hidden:
        parts.append(f"{listing.hidden:,} ended over an hour ago; --all shows them too.")
    return " ".join(parts)


def nothing(listing: Listing, query: Query, server: Server) -> str:
    """What an empty table says: why it is empty and what to do next."""
    if listing.hidden:
        which = "fits and is live or ended" if query.filtered else "is live or ended"
        return (
            f"No task {which} within the last hour. "
            f"{listing.hidden:,} ended before that; --all shows them too."
        )
    if query.filtered:
        return "No task on record fits these filters."
    where = server.data_plane or "the sidecar (its --listen address, port 8460 by default)"
    return (
        f"No tasks yet. Point a subagent's url at {where} and let it start one. "
        "If one tried, `subagentctl events` and the sidecar's log say what came of it."
    )


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """ASCII only, so that it is the same bytes everywhere and no terminal obeys any of it.

    DEL is the one control character that JSON lets stand: it is escaped as well.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=True, allow_nan=False)
    return text.replace("\x7f", "\\u007f") + "\n"


def listing_json(listing: Listing, *, indent: int | None = 2) -> str:
    """The full records, and whether they are all."""
    return as_json(
        {"tasks": listing.tasks, "more": listing.more, "hidden": listing.hidden}, indent=indent
    )


def tasks_csv(tasks: Sequence[Record]) -> str:
    """RFC 4180 with a header, one line a task, nested things counted or flattened."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((*_FLAT, "runs", "superseded_runs", *_USAGE))
    writer.writerows(_csv_row(task) for task in tasks)
    return out.getvalue()


def _csv_row(task: Record) -> list[str]:
    usage = nested(task, "usage")
    superseded = task.get("superseded_run_ids")
    return [
        *(csv_cell(task.get(key)) for key in _FLAT),
        str(run_count(task)),
        str(len(superseded) if isinstance(superseded, list) else 0),
        *(csv_cell(usage.get(key)) for key in _USAGE),
    ]


def csv_cell(value: object) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if not isinstance(value, str):
        return clean(fields.text({"value": value}, "value"))
    text = clean(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text
