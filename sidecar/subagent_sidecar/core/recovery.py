"""What becomes of a start whose outcome is not on record, given what the server says.

A start is durable as an intent before it is sent. When the answer never came (crash, timeout,
broken connection) the thread's runs tell: langgraph-api keeps our `x-request-id` in the run, and
on servers that do not, a run made after the intent that nobody else accounts for is the one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .model import Intent, Timestamp, timestamp

_SKEW = timedelta(seconds=2)
"""How far the server's clock may lag behind ours before a run looks older than its intent."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run as the server lists it."""

    run_id: str
    created_at: str | None
    request_id: str | None


def match(intent: Intent, listed: Sequence[Candidate], known: Collection[str]) -> Candidate | None:
    """The run that `intent` became, if the listing shows it.

    `known` are the run ids already on record. Servers that keep request ids are believed; only
    where no run carries one is the oldest unaccounted run after the intent taken for it.
    """
    for run in listed:
        if run.request_id == intent.request_id and run.run_id not in known:
            return run
    if any(run.request_id is not None for run in listed):
        return None
    unaccounted = [
        run
        for run in reversed(listed)
        if run.run_id not in known and not_before(run.created_at, intent)
    ]
    return unaccounted[0] if unaccounted else None


def not_before(server_time: str | None, intent: Intent) -> bool:
    """Whether a run the server made at `server_time` may be what `intent` became; one of an
    unknown time may."""
    if server_time is None:
        return True
    made = normalised(server_time)
    earliest = timestamp(datetime.fromisoformat(intent.created_at) - _SKEW)
    return made is None or made >= earliest


def normalised(server_time: str) -> Timestamp | None:
    """A server's ISO time as ours; None if it is not one."""
    try:
        moment = datetime.fromisoformat(server_time)
        return timestamp(moment) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):  # no time, or one outside the years 1 to 9999
        return None


def may_release(intent: Intent, now: Timestamp, patience: timedelta) -> bool:
    """Whether a start the server does not show can be given up: its request cannot still be on
    the way after `patience`, even if another process sent it."""
    return timestamp(datetime.fromisoformat(intent.created_at) + patience) <= now
