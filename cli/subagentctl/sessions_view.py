"""Sessions, as a table for people and as CSV for programs; and what an end came to. Pure."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from shlex import quote

from subagentctl.fields import Record, count, moment, records, short_id, text
from subagentctl.look import Look
from subagentctl.money import sum_short
from subagentctl.render import View, csv_cell
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import wrap
from subagentctl.when import age

_COLUMNS = (
    Column(title="", least=1),
    Column(title="SESSION", least=12, yields=1, is_id=True),
    Column(title="SUPERVISOR", cap=20, least=10, yields=2, drops=2),
    Column(title="LIVE", right=True),
    Column(title="TASKS", right=True, drops=3),
    Column(title="AGE", right=True, drops=4),
    Column(title="LAST SIGN", right=True),
    Column(title="LEASE"),
    Column(title="USAGE", drops=1),
)
_FLAT = (
    *("session_id", "supervisor", "live_tasks", "tasks", "capped", "first_at", "last_sign_at"),
    *("lease", "lease_s", "expires_at", "lapses_at", "beats", "last_beat_at", "tokens"),
    *("cost_usd", "unpriced", "parent_task_id", "ended_at", "ended_by", "reason", "reopened_at"),
)
_ENDS = (
    Column(title="ID"),
    Column(title="AGENT", cap=30, least=10, yields=1),
    Column(title="STATUS"),
    Column(title="WHAT BECOMES OF IT", least=20, yields=2),
)
_OVER = frozenset({"lapsed", "ended"})


def sessions_table(sessions: Sequence[Record], view: View) -> list[str]:
    """One line a session. SUPERVISOR and USAGE are shown where they tell something."""
    told = {
        "SUPERVISOR": len({text(each, "supervisor") for each in sessions}) > 1,
        "USAGE": any(sum_short(each) for each in sessions),
    }
    shown = [column for column in _COLUMNS if told.get(column.title, True)]
    rows = [[_cell(column.title, each, view) for column in shown] for each in sessions]
    return table(shown, rows, view.look)


def _cell(title: str, session: Record, view: View) -> Cell:
    live = count(session, "live_tasks")
    match title:
        case "":
            return cell(
                view.look.live if live else "", "alarm" if _forsaken(session) else "running"
            )
        case "SESSION":
            return cell(text(session, "session_id"))
        case "SUPERVISOR":
            return cell(text(session, "supervisor"))
        case "LIVE":
            return cell(f"{live:,}", "" if live else "dim")
        case "TASKS":
            more = "+" if session.get("capped") is True else ""
            return cell(f"{count(session, 'tasks'):,}{more}")
        case "AGE":
            return cell(age(moment(session, "first_at"), view.now))
        case "LAST SIGN":
            return cell(_ago(moment(session, "last_sign_at"), view.now))
        case "LEASE":
            return _lease(session, view)
        case _:
            return _or_unknown(sum_short(session), view.look)


def _lease(session: Record, view: View) -> Cell:
    """`held, 4m left`, `expired 30s ago`, `lapsed 2h ago`, `ended 5m ago`."""
    state = text(session, "lease")
    match state:
        case "held":
            until = moment(session, "expires_at")
            left = "" if until is None else f", {age(view.now, until)} left"
            return cell(f"held{left}", "success")
        case "expired":
            words = f"expired {_ago(moment(session, 'expires_at'), view.now)}"
            return cell(words.strip(), "waiting")
        case "lapsed":
            words = f"lapsed {_ago(moment(session, 'lapses_at'), view.now)}"
            return cell(words.strip(), "alarm" if _forsaken(session) else "dim")
        case "ended":
            words = f"ended {_ago(moment(session, 'ended_at'), view.now)}"
            return cell(words.strip(), "alarm" if _forsaken(session) else "dim")
        case "none" | "":
            return cell(view.look.unknown, "dim")
        case _:
            return cell(state)


def _forsaken(session: Record) -> bool:
    """Whether tasks of it are live that nobody seems to wait for."""
    return text(session, "lease") in _OVER and count(session, "live_tasks") > 0


def _ago(then: datetime | None, now: datetime) -> str:
    return "" if then is None else f"{age(then, now)} ago"


def _or_unknown(words: str, look: Look) -> Cell:
    return cell(words) if words else cell(look.unknown, "dim")


def footer(sessions: Sequence[Record], *, more: bool, everything: bool) -> str:
    """How many there are, and what was left out."""
    live = sum(count(each, "live_tasks") > 0 for each in sessions)
    parts = [f"{_count(len(sessions), 'session')}, {live:,} with live tasks."]
    if any(text(each, "lease") == "lapsed" and _forsaken(each) for each in sessions):
        parts.append("A lapsed lease: whoever renewed it stopped, and its grace is over.")
    if more:
        parts.append("More were left out by --limit; --limit 0 shows all.")
    if not everything:
        parts.append("Those at rest for over an hour are left out; --all shows them too.")
    return " ".join(parts)


def nothing(*, filtered: bool, everything: bool) -> str:
    """What an empty table says."""
    if filtered:
        return "No session fits these filters." + (
            "" if everything else " --all looks further back."
        )
    if everything:
        return "No sessions yet: nothing was started, and nobody sent a heartbeat."
    return "No session has a live task or was active within the last hour; --all shows the others."


def sessions_csv(sessions: Sequence[Record]) -> str:
    """RFC 4180 with a header, one line a session."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_FLAT)
    writer.writerows([csv_cell(each.get(key)) for key in _FLAT] for each in sessions)
    return out.getvalue()


def end_lines(end: Record, look: Look) -> list[str]:
    """What an end came to: a sentence, and a line for each live task."""
    tasks = records(end, "tasks")
    name = cell(text(end, "session_id")).text
    reason = cell(text(end, "reason")).text
    again = ", as it was before" if end.get("again") is True else ""
    first = f"session {name} is over{again}{f' ({reason})' if reason else ''}"
    if not tasks:
        return [f"{first}. It has no live task.", "", *_afterwards(name, look)]
    least = "at least " if end.get("more") is True else ""
    lines = [f"{first}. It has {least}{_count(len(tasks), 'live task')}:", ""]
    rows = table(_ENDS, [_end_row(task, look) for task in tasks], look)
    return [*lines, *rows, "", *_afterwards(name, look)]


def _afterwards(name: str, look: Look) -> list[str]:
    """A supervisor that is alive opens its session again with its next heartbeat."""
    said = (
        "A supervisor that is still there may go on with it: `subagentctl freeze --session "
        f"{quote(name)}` refuses what it starts."
    )
    return [look.paint(line, "dim") for line in (wrap(said, look.width) if look.width else [said])]


def _end_row(task: Record, look: Look) -> list[Cell]:
    return [
        cell(short_id(task)),
        cell(text(task, "agent_name") or look.unknown),
        cell(text(task, "status"), text(task, "status")),
        cell(_becomes(task)),
    ]


_BECOMES = {
    "request_cancel": "it is cancelled",
    "terminate": "it is cancelled, and its thread deleted",
    "abandon": "it goes on",
}


def _becomes(task: Record) -> str:
    said = text(task, "on_session_end")
    words, rule = _BECOMES.get(said, said or "?"), text(task, "rule")
    if rule:
        return f"{words} (rule {rule})"
    return f"{words}: no rule says otherwise" if said == "abandon" else words


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
