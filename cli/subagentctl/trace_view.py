"""A tree of tasks as a waterfall: a bar for each task, run and span on one scale of time. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from subagentctl import fields
from subagentctl.bars import Mark, Part, Segment, bar, growing
from subagentctl.branches import Branch, branches
from subagentctl.fields import Record, moment, records, short_id
from subagentctl.listing import LIVE
from subagentctl.look import Look
from subagentctl.render import View, goes_on, status_text
from subagentctl.run_bars import goes_on_at_all, run_goes_on, run_segments, task_end, task_segments
from subagentctl.span_rows import chosen_spans, seconds, times
from subagentctl.table import Cell, Column, cell, fit, table
from subagentctl.text import clean, cut, pad, width, wrap
from subagentctl.timescale import Scale, scale
from subagentctl.trace_moments import SIGNS, marks, moments
from subagentctl.trace_story import story_lines
from subagentctl.traces import Trace
from subagentctl.when import span, stamp

_KEY_WIDTH = 8
_BAR_ON_A_PIPE = 40
_RUNS = 5
"""Of a task with many runs the newest so many have a line of their own."""

_COLUMNS = (
    Column(title=""),
    Column(title="TASK", cap=44, least=12, yields=2),
    Column(title="ID", cap=12, least=8, yields=1, is_id=True),
    Column(title="STATUS", cap=12, drops=3),
    Column(title="TOOK", cap=10, right=True, drops=1),
    Column(title="", least=8, ease=28, drops=2, stretches=True),
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the waterfall, its bar not drawn yet."""

    name: str
    short: str
    status: str
    style: str
    took: str
    segments: Sequence[Segment]
    marks: Sequence[Mark] = ()
    asked: bool = False


def trace_lines(trace: Trace, view: View, *, spans: int) -> list[str]:
    """The lines of `subagentctl trace`, with at most so many spans of others for a task."""
    view = replace(view, now=moment({"now": trace.now}, "now") or view.now)
    told = moments(trace)
    lines = list(_lines(trace, view, marks(told), spans))
    if not lines:
        return ["Nothing of this trace is on record any more."]
    begin, end = _extent(lines, trace, view.now)
    drawn = _waterfall(lines, begin, end, view.look)
    return [
        *_summary(trace, begin, end, view),
        "",
        *drawn,
        *_legend(lines, view.look),
        *story_lines(told, trace, begin, view),
        *_left_out(trace, view.look),
    ]


def _lines(
    trace: Trace, view: View, signs: Mapping[str, Sequence[Mark]], most: int
) -> Iterator[_Line]:
    beneath: dict[str, list[Record]] = {}
    for each in trace.spans:
        beneath.setdefault(fields.text(each, "task_id"), []).append(each)
    tasks: Sequence[Record] = trace.tasks
    tree = branches(
        tasks,
        key=lambda task: fields.text(task, "task_id"),
        parent=lambda task: fields.text(task, "parent_task_id"),
        look=view.look,
    )
    for number, branch in enumerate(tree):
        task_id = fields.text(branch.record, "task_id")
        asked = number > 0 and task_id == trace.asked  # at the top it needs no pointing out
        yield _task_line(branch, view, signs.get(task_id, ()), asked=asked)
        yield from _run_lines(branch, view)
        yield from _span_lines(branch, beneath.get(task_id, ()), view, most)


def _task_line(branch: Branch[Record], view: View, signs: Sequence[Mark], *, asked: bool) -> _Line:
    task = branch.record
    status = fields.text(task, "status")
    begin = moment(task, "created_at")
    took = (task_end(task, view.now) - begin).total_seconds() if begin else None
    return _Line(
        name=branch.head + clean(fields.text(task, "agent_name") or view.look.unknown),
        short=short_id(task),
        status=status_text(task),
        style="alarm" if goes_on(task) else status,
        took="" if took is None else span(took),
        segments=task_segments(task, view.now),
        marks=signs,
        asked=asked,
    )


def _run_lines(branch: Branch[Record], view: View) -> Iterator[_Line]:
    """Of a task with several runs each has a line."""
    runs = records(branch.record, "runs")
    if len(runs) < 2:
        return
    under = f"{branch.under}  " if branch.depth else "  "
    left_out = max(len(runs) - _RUNS, 0)
    for number, run in enumerate(runs[left_out:], left_out + 1):
        parts = run_segments(run, branch.record, view.now)
        status = fields.text(run, "status")
        earlier = f" (of {len(runs)})" if left_out and number == left_out + 1 else ""
        yield _Line(
            name=f"{under}run {number}{earlier}",
            short=fields.text(run, "run_id")[-8:],
            status=f"{status}!" if run_goes_on(run) and status not in LIVE else status,
            style=status,
            took=span((parts[-1].end - parts[0].begin).total_seconds()) if parts else "",
            segments=parts,
        )


def _span_lines(
    branch: Branch[Record], spans: Sequence[Record], view: View, most: int
) -> Iterator[_Line]:
    if not most or not spans:
        return
    under = f"{branch.under}  " if branch.depth else "  "
    shown = chosen_spans(spans, most, view.look)
    for each in shown:
        failed = fields.text(each.record, "status") == "error"
        found = times(each.record)
        yield _Line(
            name=f"{under}{each.head}{clean(fields.text(each.record, 'name'))}",
            short="",
            status="error" if failed else "",
            style="error" if failed else "dim",
            took=span(seconds(each.record)),
            segments=[Segment(Part.SPAN, *found)] if found else [],
        )
    if left := len(spans) - len(shown):
        words = f"{under}{view.look.ellipsis} {left:,} span{'' if left == 1 else 's'} more"
        yield _Line(name=words, short="", status="", style="dim", took="", segments=[])


def _extent(lines: Sequence[_Line], trace: Trace, now: datetime) -> tuple[datetime, datetime]:
    """From the first thing that is shown to the last."""
    parts = [part for line in lines for part in line.segments]
    begin = min((part.begin for part in parts), default=now)
    end = max((part.end for part in parts), default=now)
    return begin, now if any(map(goes_on_at_all, trace.tasks)) else end


def _summary(trace: Trace, begin: datetime, end: datetime, view: View) -> list[str]:
    pairs = [("trace", trace.trace_id), ("tree", _extent_words(trace, begin, end))]
    pairs += [(name, url) for name, url in trace.links.items() if isinstance(url, str)]
    keys = max(_KEY_WIDTH, *(width(clean(key)) + 2 for key, _ in pairs))
    lines = []
    for key, value in pairs:
        if key != "tree" or view.look.width is None:  # ids and URLs are there to be copied whole
            folded = [clean(value)]
        else:
            folded = wrap(clean(value), max(20, view.look.width - keys))
        head = view.look.paint(pad(clean(key), keys), "head")
        lines += [head + folded[0], *(" " * keys + each for each in folded[1:])]
    return lines


def _extent_words(trace: Trace, begin: datetime, end: datetime) -> str:
    live = sum(map(goes_on_at_all, trace.tasks))
    count = max(trace.total, len(trace.tasks))
    tasks = f"{count:,} task{'' if count == 1 else 's'}, {f'{live:,}' if live else 'none'} live"
    if trace.more and live:
        tasks += " of those below"
    took = span((end - begin).total_seconds())
    if live:
        return f"{tasks}; {took} so far, since {stamp(begin)}"
    if begin.date() == end.date():
        return f"{tasks}; {took}, {begin:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC"
    return f"{tasks}; {took}, {stamp(begin)} to {stamp(end)}"


def _waterfall(lines: Sequence[_Line], begin: datetime, end: datetime, look: Look) -> list[str]:
    """The bars get what room the rest leaves them."""
    plain = [_cells(line, look, []) for line in lines]
    natural = [
        max(width(column.title), *(width(row[index].text) for row in plain))
        for index, column in enumerate(_COLUMNS[:-1])
    ]
    marked = [column for index, column in enumerate(_COLUMNS) if index or natural[0]]
    sizes = natural if natural[0] else natural[1:]
    room = _BAR_ON_A_PIPE if look.width is None else fit(marked, [*sizes, 10_000], look.width)[-1]
    if not room:
        return table(marked[:-1], [row[-len(marked) : -1] for row in plain], look)
    on = scale(begin, end, room)
    columns = [*marked[:-1], replace(marked[-1], title=on.axis())]
    rows = [_cells(line, look, [on])[-len(marked) :] for line in lines]
    return table(columns, rows, look)


def _cells(line: _Line, look: Look, on: Sequence[Scale]) -> list[Cell]:
    """`on` is the scale, if there is one yet."""
    pointer = ("▸" if look.unicode else ">") if line.asked else ""
    drawn = bar(line.segments, on[0], look, line.marks) if on else ""
    return [
        Cell(pointer, "title"),
        Cell(line.name, "title" if line.asked else "dim" if line.style == "dim" else ""),
        cell(line.short),
        cell(line.status, line.style),
        cell(line.took),
        Cell(drawn, line.style),
    ]


def _legend(lines: Sequence[_Line], look: Look) -> list[str]:
    """What the signs mean that occur."""
    parts = {part.part for line in lines for part in line.segments}
    signs = {sign.sign for line in lines for sign in line.marks}
    words = [f"{part.sign(look)} {part.meaning}" for part in Part if part in parts]
    if any(part.grows for line in lines for part in line.segments):
        words.append(f"{growing(look)} goes on")
    words += [f"{sign} {meaning}" for sign, meaning in SIGNS.values() if sign in signs]
    if any(line.status.endswith("!") for line in lines):
        words.append("status! cancelled, and goes on")
    return ["", *(look.paint(each, "dim") for each in _side_by_side(words, look.width))]


def _side_by_side(words: Sequence[str], room: int | None) -> list[str]:
    """On as few lines as they fit on, each whole."""
    lines = [""]
    for each in words:
        longer = f"{lines[-1]}   {each}" if lines[-1] else each
        if room is None or not lines[-1] or width(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(each)
    return [cut(line, room) for line in lines] if room else lines


def _left_out(trace: Trace, look: Look) -> list[str]:
    missing = trace.total - len(trace.tasks)
    if missing <= 0:
        return []
    sentence = f"{missing:,} tasks more were left out by --limit; --limit 0 shows all."
    folded = wrap(sentence, look.width) if look.width else [sentence]
    return ["", *(look.paint(line, "dim") for line in folded)]
