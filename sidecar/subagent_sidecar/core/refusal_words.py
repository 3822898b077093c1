"""Words that refusals share: where, within what time, how much, and how long."""

from datetime import timedelta
from math import ceil

from .matching import Scope
from .prices import usd_text
from .units import duration_text

WHERE = {
    Scope.TASK: "of this task",
    Scope.SESSION: "in this session",
    Scope.SUPERVISOR: "for this supervisor",
    Scope.AGENT: "of this agent",
    Scope.UPSTREAM: "on this agent server",
    Scope.TREE: "in this tree of tasks",
    Scope.GLOBAL: "of all callers together",
}


def within(window: timedelta | None) -> str:
    return f" within {duration_text(window)}" if window else ""


def number(what: str, value: int) -> str:
    """An amount of what a budget counts, without its unit."""
    match what:
        case "micro_usd":
            return _cents(value)
        case "run_time":
            return f"{ceil(value / 1_000_000):,}"
        case _:
            return f"{value:,}"


def _cents(micro: int) -> str:
    """At least the cents; what is exact beyond them."""
    whole, _, rest = usd_text(micro).partition(".")
    return f"{whole}.{rest[:2]}{rest[2:].rstrip('0')}"


def about(span: timedelta) -> str:
    """In a unit that fits, rounded up."""
    seconds = span.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds > 2 * size:
            return f"{ceil(seconds / size)} {unit}"
    return f"{ceil(seconds)} seconds"
