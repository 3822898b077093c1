"""The spans of others beneath a task: those near its run first, then the longest. Pure."""

from collections.abc import Sequence
from datetime import datetime

from subagentctl import fields
from subagentctl.branches import Branch, branches
from subagentctl.fields import Record, moment
from subagentctl.look import Look


def chosen_spans(spans: Sequence[Record], most: int, look: Look) -> list[Branch[Record]]:
    """At most so many, a parent before its children, by their begin. No span is there without
    those that it is under."""
    known = [span for span in spans if moment(span, "start") and moment(span, "end")]
    known.sort(key=lambda span: fields.text(span, "start"))
    whole = list(branches(known, key=_id, parent=_parent, look=look))
    first = sorted(whole, key=lambda branch: (branch.depth, -seconds(branch.record)))[:most]
    kept = {_id(branch.record) for branch in first}
    return list(branches([s for s in known if _id(s) in kept], key=_id, parent=_parent, look=look))


def seconds(span: Record) -> float:
    """How long it took."""
    begin, end = moment(span, "start"), moment(span, "end")
    return (end - begin).total_seconds() if begin and end else 0.0


def times(span: Record) -> tuple[datetime, datetime] | None:
    begin, end = moment(span, "start"), moment(span, "end")
    return (begin, max(begin, end)) if begin and end else None


def _id(span: Record) -> str:
    return fields.text(span, "span_id")


def _parent(span: Record) -> str:
    return fields.text(span, "parent_span_id")
