"""How agents did, as tables and advice for people and as CSV for programs. Pure."""

import csv
import io
from collections.abc import Sequence
from math import isfinite

from subagentctl.fields import Record, count, nested, number, records, text
from subagentctl.look import Look
from subagentctl.money import sum_short
from subagentctl.render import csv_cell
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import wrap
from subagentctl.when import span

_AGENT = Column(title="AGENT", cap=40, least=10, yields=1)
_TIMES = (
    _AGENT,
    Column(title="RUNS", right=True),
    Column(title="QUEUE p95", right=True, drops=1),
    Column(title="RUN p50", right=True),
    Column(title="p95", right=True),
    Column(title="p99", right=True),
    Column(title="CLOCK", right=True, drops=3),
    Column(title="USAGE", drops=2),
)
_ASKED = (
    _AGENT,
    Column(title="STARTS", right=True, drops=2),
    Column(title="REFUSED", right=True),
    Column(title="FAILED", right=True),
    Column(title="POLLS", right=True, drops=1),
    Column(title="A RUN", right=True),
    Column(title="A MINUTE", right=True),
)
_HOW = ("success", "error", "timeout", "superseded")
_WHOSE = ("supervisor", "operator", "reaper", "budget", "server_lost", "upstream")
_KINDS = {
    "longer_clock": ("longer clock", "alarm"),
    "busy_poll": ("busy polling", "alarm"),
    "keep_inline": ("keep inline", "success"),
    "no_clock": ("no clock", "waiting"),
    "shorter_clock": ("shorter clock", "waiting"),
}
_PLAIN = (
    *("agent_name", "started", "updated", "live_runs", "ended_runs", "failed", "failure_rate"),
    *("few", "run_clock_s", "refused", "refusal_rate", "would_refuse", "tokens", "cost_usd"),
    *("metered_runs", "unpriced_runs", "tasks", "polls", "polls_per_run", "polls_per_minute"),
)
_OF_TIMES = ("of", "p50", "p95", "p99")


def report_lines(report: Record, look: Look) -> list[str]:
    """How long runs took, how they ended, and what to make of it."""
    agents = records(report, "agents")
    if not agents:
        return _folded(nothing(report), look)
    lines = table(_TIMES, [_times_row(agent, look) for agent in agents], look)
    lines += ["", *table(_ASKED, [_asked_row(agent, look) for agent in agents], look)]
    lines += ["", *_endings(agents, look), ""]
    advice = records(report, "advice")
    for each in advice:
        lines += _advice(each, look)
    if advice:
        lines.append("")
    return [*lines, *(look.paint(line, "dim") for line in _folded(footer(report), look))]


def nothing(report: Record) -> str:
    """What a report of nothing says."""
    return f"Nothing was at work since {_moment(report, 'since')}, nor refused."


def footer(report: Record) -> str:
    """What the numbers are about, and what is missing."""
    agents = records(report, "agents")
    ended = sum(count(agent, "ended_runs") for agent in agents)
    live = sum(count(agent, "live_runs") for agent in agents)
    parts = [f"{_runs(ended)} that ended since {_moment(report, 'since')}, {live:,} still at work."]
    least = count(report, "least_runs")
    if any(agent.get("few") is True and _known(agent) for agent in agents):
        parts.append(f"`~`: fewer than {least} runs came to their own end, too few for advice.")
    if not records(report, "advice"):
        parts.append("No advice: nothing stands out where there are runs enough.")
    if unpriced := sum(count(agent, "unpriced_runs") for agent in agents):
        metered = sum(count(agent, "metered_runs") for agent in agents)
        parts.append(
            f"{_of(unpriced, metered)} used a model without a price: "
            + _cost_is(in_part=any(_priced_in_part(agent) for agent in agents), of=unpriced)
        )
    if left := count(report, "left_out"):
        parts.append(f"{left:,} more agents are left out, those with the fewest runs.")
    whole = text(report, "whole_from")
    if whole and whole > text(report, "since"):
        parts.append(f"What ended before {_moment(report, 'whole_from')} is forgotten in part.")
    return " ".join(parts)


def report_csv(report: Record) -> str:
    """RFC 4180 with a header, one line an agent. The advice is not in it."""
    out = io.StringIO()
    writer = csv.writer(out)
    agents = records(report, "agents")
    groups = [_words(agents, name) for name in ("endings", "cancelled_by", "reaped")]
    writer.writerow(
        [
            *_PLAIN,
            *(f"{name}_{key}" for name in ("run", "queue") for key in _OF_TIMES),
            *groups[0],
            *(f"cancelled_by_{word}" for word in groups[1]),
            *(f"reaped_{word}" for word in groups[2]),
        ]
    )
    for agent in agents:
        row = [agent.get(key) for key in _PLAIN]
        for name in ("run_time_s", "queue_s"):
            row += [nested(agent, name).get(key) for key in _OF_TIMES]
        for name, words in zip(("endings", "cancelled_by", "reaped"), groups, strict=True):
            row += [nested(agent, name).get(word, 0) for word in words]
        writer.writerow([csv_cell(value) for value in row])
    return out.getvalue()


def _words(agents: Sequence[Record], name: str) -> list[str]:
    return list(dict.fromkeys(word for agent in agents for word in nested(agent, name)))


def _times_row(agent: Record, look: Look) -> list[Cell]:
    ran, few = nested(agent, "run_time_s"), agent.get("few") is True
    clock = number(agent, "run_clock_s")
    return [
        cell(text(agent, "agent_name")),
        cell(f"{count(agent, 'ended_runs'):,}"),
        _time(nested(agent, "queue_s"), "p95", few, look),
        *(_time(ran, key, few, look) for key in ("p50", "p95", "p99")),
        cell(_span(clock) if clock is not None else look.unknown, "dim"),
        cell(_usage(agent) or look.unknown, "" if _usage(agent) else "dim"),
    ]


def _time(times: Record, key: str, few: bool, look: Look) -> Cell:
    value = number(times, key)
    if value is None:
        return cell(look.unknown, "dim")
    return cell(f"~{_span(value)}" if few else _span(value), "dim" if few else "")


def _span(seconds: float) -> str:
    """One unit less where the second is none: `30m`, not `30m 0s`."""
    shown = span(seconds) if isfinite(seconds) else "?"
    head, _, rest = shown.partition(" ")
    return head if rest[:-1] == "0" else shown


def _usage(agent: Record) -> str:
    shown = sum_short(agent)
    return f"{shown}+" if _priced_in_part(agent) else shown


def _priced_in_part(agent: Record) -> bool:
    return number(agent, "cost_usd") is not None and bool(count(agent, "unpriced_runs"))


def _asked_row(agent: Record, look: Look) -> list[Cell]:
    failed, refused = count(agent, "failed"), count(agent, "refused")
    return [
        cell(text(agent, "agent_name")),
        cell(f"{count(agent, 'started') + count(agent, 'updated'):,}"),
        cell(_rate(agent, "refusal_rate") or look.unknown, "waiting" if refused else "dim"),
        cell(_rate(agent, "failure_rate") or look.unknown, "error" if failed else "dim"),
        cell(f"{count(agent, 'polls'):,}"),
        cell(_decimal(agent, "polls_per_run") or look.unknown),
        cell(_decimal(agent, "polls_per_minute") or look.unknown),
    ]


def _endings(agents: Sequence[Record], look: Look) -> list[str]:
    """How runs ended, those that were cancelled by whose act; what never happened has no column."""
    found = [
        *((word.upper(), "endings", word) for word in _HOW),
        *((_LOST.get(word, f"BY {word.upper()}"), "cancelled_by", word) for word in _WHOSE),
    ]
    shown = [one for one in found if any(count(nested(each, one[1]), one[2]) for each in agents)]
    if not shown:
        return []
    columns = [
        _AGENT,
        *(
            Column(title=title, right=True, drops=-place)
            for place, (title, _, _) in enumerate(shown)
        ),
    ]
    rows = [
        [
            cell(text(each, "agent_name")),
            *(_number(count(nested(each, group), word)) for _, group, word in shown),
        ]
        for each in agents
    ]
    return table(columns, rows, look)


_LOST = {"server_lost": "LOST"}


def _number(value: int) -> Cell:
    return cell(f"{value:,}", "" if value else "dim")


def _rate(agent: Record, key: str) -> str:
    value = number(agent, key)
    if value is None or not isfinite(value):
        return ""
    if 0 < value < 0.001:
        return "<0.1%"
    return f"{100 * value:.1f}%" if value else "0%"


def _decimal(agent: Record, key: str) -> str:
    value = number(agent, key)
    if value is None or not isfinite(value):
        return ""
    return f"{value:,.1f}"


def _advice(advice: Record, look: Look) -> list[str]:
    """What to do in two words, then the sentence, folded under itself."""
    kind = text(advice, "kind")
    title, style = _KINDS.get(kind, (cell(kind).text, ""))
    said = cell(f"{text(advice, 'message')}.").text
    margin = max(len(title) for title, _ in _KINDS.values()) + 2
    room = look.width - margin if look.width else None
    first, *rest = wrap(said, max(room, 20)) if room else [said]
    head = look.paint(title, style) + " " * max(margin - len(title), 1)
    return [f"{head}{first}", *(" " * margin + line for line in rest)]


def _known(agent: Record) -> bool:
    return bool(nested(agent, "run_time_s"))


def _folded(sentences: str, look: Look) -> list[str]:
    return wrap(sentences, look.width) if look.width else [sentences]


def _moment(report: Record, key: str) -> str:
    """To the minute, in UTC and saying so."""
    return cell(text(report, key)[:16].replace("T", " ") + " UTC").text


def _of(some: int, metered: int) -> str:
    """`3 of the 5 runs with known usage`, or that it was all of them."""
    whole = f"{_runs(metered)} with known usage"
    return f"The {whole}" if some == metered else f"{some:,} of the {whole}"


def _cost_is(*, in_part: bool, of: int) -> str:
    if in_part:
        return "a cost with `+` is what is known of it."
    return f"{'its' if of == 1 else 'their'} cost is not known."


def _runs(number_of: int) -> str:
    return f"{number_of:,} run{'' if number_of == 1 else 's'}"
