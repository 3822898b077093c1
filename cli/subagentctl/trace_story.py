"""What happened in a tree of tasks, in words, below its bars. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from subagentctl import fields
from subagentctl.fields import Record, short_id
from subagentctl.look import Look
from subagentctl.render import View
from subagentctl.story import clause, style_of
from subagentctl.table import Cell, Column, cell, fit, table
from subagentctl.text import width, wrap
from subagentctl.trace_moments import Moment
from subagentctl.traces import Trace
from subagentctl.when import span

_MOMENTS = 30
"""The newest so many are told."""

_MOMENT_COLUMNS = (
    Column(title="UTC", drops=0),
    Column(title="AFTER", right=True),
    Column(title="TASK", cap=24, least=8, yields=1, drops=1),
    Column(title="ID", cap=12, least=8, yields=0, is_id=True),
    Column(title="WHAT HAPPENED", ease=32, least=16, stretches=True),
)


def story_lines(told: Sequence[Moment], trace: Trace, begin: datetime, view: View) -> list[str]:
    """The table of moments, and the blank line before it; nothing of none."""
    if not told:
        return []
    tasks = {fields.text(task, "task_id"): task for task in trace.tasks}
    alike = _alike(told)
    rows = [_moment_row(each, tasks, begin) for each in alike[-_MOMENTS:]]
    lines = ["", view.look.paint("WHAT HAPPENED", "title")]
    if left := sum(map(len, alike[:-_MOMENTS])):
        note = f"{view.look.ellipsis} {left:,} before; `subagentctl task ID` tells them of each"
        lines.append(view.look.paint(note, "dim"))
    return [*lines, *table(_MOMENT_COLUMNS, _folded_rows(rows, view.look), view.look)]


def _folded_rows(rows: Sequence[list[Cell]], look: Look) -> list[list[Cell]]:
    """What happened goes on below where it is too long: why a task was ended is not cut off."""
    if look.width is None:
        return [*rows]
    natural = [
        max(width(column.title), *(width(row[index].text) for row in rows))
        for index, column in enumerate(_MOMENT_COLUMNS)
    ]
    room = max(fit(_MOMENT_COLUMNS, natural, look.width)[-1], _MOMENT_COLUMNS[-1].least)
    folded = []
    for row in rows:
        first, *rest = wrap(row[-1].text, room)
        folded.append([*row[:-1], replace(row[-1], text=first)])
        nothing = [Cell("") for _ in row[:-1]]
        folded += [[*nothing, replace(row[-1], text=more)] for more in rest]
    return folded


def _alike(told: Sequence[Moment]) -> list[list[Moment]]:
    """What happened to several tasks at once, in the same words, together."""
    groups: list[list[Moment]] = []
    for each in told:
        if groups and _words(groups[-1][0]) == _words(each):
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _words(each: Moment) -> tuple[str, str]:
    return each.at.isoformat(timespec="seconds"), clause(each.event)


def _moment_row(alike: list[Moment], tasks: Mapping[str, Record], begin: datetime) -> list[Cell]:
    each, whose = alike[0], {moment.task_id for moment in alike}
    task = tasks.get(each.task_id, {})
    day = "" if each.at.date() == begin.date() else "%m-%d "
    words = clause(each.event)
    if len(alike) > len(whose):
        words += f" ({len(alike):,} times)"
    return [
        cell(each.at.strftime(f"{day}%H:%M:%S")),
        cell(f"+{span((each.at - begin).total_seconds())}"),
        cell(fields.text(task, "agent_name") if len(whose) == 1 else f"{len(whose):,} tasks"),
        cell(short_id(task) or each.task_id[-8:] if len(whose) == 1 else ""),
        cell(words, style_of(each.event)),
    ]
