"""What happened in a tree of tasks, beside what its bars show. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from subagentctl import fields
from subagentctl.bars import Mark
from subagentctl.echoes import Reasons
from subagentctl.fields import Record, moment, nested
from subagentctl.traces import Trace

SIGNS: Mapping[str, tuple[str, str]] = {
    "updated": ("u", "follow-up"),
    "cancel_asked": ("c", "cancel asked for"),
    "cancel_unconfirmed": ("x", "cancel not obeyed"),
    "reaped": ("r", "reaped"),
    "refused": ("!", "start refused"),
}
"""The marks on a bar, by the kind of event, and what they mean."""

_SHOWN_BY_THE_BARS = frozenset({"cancel_confirmed", "status", "run_status", "started"})


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a task; a refusal happened to the one that wanted to start."""

    at: datetime
    task_id: str
    event: Record


def moments(trace: Trace) -> list[Moment]:
    """In order, and none that says what the one before it said."""
    told: list[tuple[str, Record]] = [
        (fields.text(event, "task_id"), event) for event in trace.events if _tells(event)
    ]
    told += [_refusal(each) for each in trace.refusals]
    found = [
        Moment(at, task_id, event)
        for task_id, event in told
        if (at := moment(event, "at")) is not None
    ]
    found.sort(key=lambda each: each.at)
    once = Reasons().once
    return [Moment(each.at, each.task_id, once(each.event)) for each in found]


def marks(told: Sequence[Moment]) -> dict[str, list[Mark]]:
    """By the task's id."""
    found: dict[str, list[Mark]] = {}
    for each in told:
        kind = fields.text(each.event, "kind")
        if kind in SIGNS:
            found.setdefault(each.task_id, []).append(Mark(each.at, SIGNS[kind][0]))
    return found


def _refusal(event: Record) -> tuple[str, Record]:
    """Whose it is, and the event. Where the rule counts within that task it need not be named."""
    detail = nested(event, "detail")
    task_id = fields.text(detail, "session")
    if (fields.text(detail, "scope"), fields.text(detail, "scope_id")) != ("session", task_id):
        return task_id, event
    short = {key: detail[key] for key in detail if key not in ("scope", "scope_id")}
    return task_id, {**event, "detail": short}


def _tells(event: Record) -> bool:
    """How a task ended shows in its status; who asked for that was told before."""
    kind, by = fields.text(event, "kind"), fields.text(nested(event, "detail"), "by")
    if kind == "ended":
        return by == "server_lost"
    if kind == "cancel_asked":
        return by != "reaper"
    return kind not in _SHOWN_BY_THE_BARS
