"""What is told of a reap: the evidence, for people; the reason, for the supervisor's model.

A reason that begins with `explain.CLOCK` is about time the task ran out of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from .candidates import Candidate, Key
from .explain import CLOCK
from .sessions import Session
from .units import duration_text

_UNITS = ((86_400.0, "days", 2), (3_600.0, "h", 2), (60.0, "min", 2))

_SMALLER = "Do not start it again as it is: make it a smaller task, or tell the user"
_LATER = "The server may have too much to do: try again later, or do the work yourself"
_STUCK = "It may be stuck: start it again once at most, or do the work yourself"
_UNREAD = "Do not start it again unless the user asks"


@dataclass(frozen=True, slots=True)
class Words:
    """`what` has a place for the age; `why` for the age and the limit."""

    what: str
    why: str
    advice: str
    timeout: bool = False


CLOCK_WORDS: Mapping[Key, Words] = {
    Key.QUEUE: Words(
        "queued for {age}",
        "Ended before it began: it was queued for {age}, and {limit} is the most",
        _LATER,
        timeout=True,
    ),
    Key.RUN: Words(
        "running for {age}",
        "Ended before it was done: its run took {age}, and {limit} is the most for one run",
        _SMALLER,
        timeout=True,
    ),
    Key.TOTAL: Words(
        "{age} since its first start",
        "Ended before it was done: it was started {age} ago, and {limit} is the most for a task "
        "with all its follow-ups",
        _SMALLER,
        timeout=True,
    ),
    Key.STALL: Words(
        "no change seen for {age} while running",
        "Ended before it was done: its run showed no change for {age}, and {limit} is the most",
        _STUCK,
        timeout=True,
    ),
    Key.WAITING: Words(
        "waiting for a human for {age}",
        "Ended: it waited for a human for {age}, and {limit} is the most",
        _UNREAD,
    ),
}


def clock_evidence(key: Key, age_s: float, limit: timedelta, rule: str) -> str:
    """`running for 31 min, rule clocks allows 30 min`."""
    what = CLOCK_WORDS[key].what.format(age=span(age_s))
    return f"{what}, rule {rule} allows {span(limit.total_seconds())}"


def clock_reason(key: Key, age_s: float, limit: timedelta, rule: str, policy: str) -> str:
    words = CLOCK_WORDS[key]
    why = words.why.format(age=span(age_s), limit=span(limit.total_seconds()))
    return f"{CLOCK if words.timeout else ''}{why}. {words.advice} ({_by(rule, policy)})"


def session_end_evidence(session: Session) -> str:
    """`its session was ended by the supervisor at 08:30:00: done`."""
    by = f" by {_who(session)}" if session.ended_by is not None else ""
    at = f" at {(session.ended_at or '')[:19]}Z"
    return f"its session was ended{by}{at}" + (f": {session.reason}" if session.reason else "")


def parent_evidence(candidate: Candidate) -> str:
    return f"its parent task {candidate.parent_task_id} has ended: {candidate.parent_end}"


def falling_evidence(parent_id: str, rule: str) -> str:
    return f"its parent task {parent_id} is being ended for rule {rule}"


def lease_evidence(silent_s: float, lease: timedelta, grace: timedelta) -> str:
    return (
        f"its session has not renewed its lease for {span(silent_s)}: "
        f"{duration_text(lease)} and a grace of {duration_text(grace)} are over"
    )


def idle_evidence(silent_s: float, idle: timedelta, rule: str) -> str:
    return f"no sign of its session for {span(silent_s)}, rule {rule} allows {duration_text(idle)}"


def orphan_reason(why: str, rule: str, policy: str) -> str:
    """For a model that may never read it; one that does has taken up its work again."""
    return f"Cancelled: {why}. {_UNREAD} ({_by(rule, policy)})"


def _who(session: Session) -> str:
    return f"the {session.ended_by.value}" if session.ended_by is not None else "somebody"


def _by(rule: str, policy: str) -> str:
    return f"rule {rule} of policy {policy}" if policy else rule


def span(seconds: float) -> str:
    """`45 s`, `31 min`, `5.2 h`, `3 days`: rounded down, so that it never tells too much."""
    for size, unit, least in _UNITS:
        if seconds >= size * least:
            tenths = int(seconds * 10 / size)
            whole, rest = divmod(tenths, 10)
            shown = f"{whole}.{rest}" if rest and whole < 10 else f"{whole}"
            return f"{shown} {unit}"
    if seconds < 10 and seconds != int(seconds):
        return f"{int(seconds * 10) / 10:g} s"
    return f"{int(seconds)} s"
