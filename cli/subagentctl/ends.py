"""What became of tasks that were to be cancelled, for people and for programs. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence

from subagentctl import fields
from subagentctl.client import JsonObject
from subagentctl.fields import Record, short_id
from subagentctl.look import Look
from subagentctl.render import as_json
from subagentctl.table import Cell, Column, cell, table

_COLUMNS = (
    Column(title="ID"),
    Column(title="AGENT", cap=20, least=14, yields=1, drops=2),
    Column(title="OUTCOME", cap=20),
    Column(title="DETAIL", ease=40, least=16, drops=1, stretches=True),
)
_TRIED_ON = "The sidecar keeps trying; `subagentctl task ID` tells how it goes."
_NEXT = {
    "in doubt": "What is in doubt was not cancelled: try again in a moment.",
    "went on": "What went on with a new run is not over: cancel it again.",
    "lost": "What is lost cannot be asked any more: look at its server.",
}
_KEYS = ("task_id", "outcome", "over", "status", "run_id", "detail")


def is_over(end: Record) -> bool:
    """Whether nothing of the task can go on."""
    return end.get("over") is True


def ends_table(ends: Sequence[Record], tasks: Mapping[str, Record], look: Look) -> list[str]:
    """One line a task, in the order given; `tasks` are the records by id, as they were before."""
    return table(_COLUMNS, [_row(end, tasks) for end in ends], look)


def _row(end: Record, tasks: Mapping[str, Record]) -> list[Cell]:
    task = tasks.get(fields.text(end, "task_id"), end)
    style = fields.text(end, "status") if is_over(end) else "alarm"
    return [
        cell(short_id(task)),
        cell(fields.text(task, "agent_name")),
        cell(fields.text(end, "outcome"), style),
        cell(fields.text(end, "detail")),
    ]


def summary(ends: Sequence[Record]) -> str:
    """`2 cancelled, 1 already success.`, and what to do about those that are not over."""
    counts = Counter(fields.text(end, "outcome") for end in ends)
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items())
    left = dict.fromkeys(fields.text(end, "outcome") for end in ends if not is_over(end))
    return " ".join([f"{told}.", *dict.fromkeys(_NEXT.get(each, _TRIED_ON) for each in left)])


def ends_csv(ends: Sequence[Record]) -> str:
    """RFC 4180 with a header, one line a task."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_KEYS)
    writer.writerows([_plain(end.get(key)) for key in _KEYS] for end in ends)
    return out.getvalue()


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return cell(fields.text({"value": value}, "value")).text


def ends_json(ends: Sequence[JsonObject], *, more: bool) -> str:
    """The sidecar's answers as they are; `more`: whether there are tasks it did not get to."""
    return as_json({"tasks": ends, "more": more})
