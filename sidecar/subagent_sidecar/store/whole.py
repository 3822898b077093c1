"""Since when nothing is missing from the record: what retention has removed was before.

Tasks leave the day on which they ended behind (core/sums.py), decisions a mark beside the other
marks of what was done (`progress`, in microseconds since 1970).
"""

from datetime import UTC, datetime, timedelta

from ..core.facts import microseconds
from ..core.model import Timestamp, just_after, timestamp
from .tails import Execute

_LAST_DAY = "SELECT max(day) FROM sums"
_MARK = "SELECT value FROM progress WHERE name = 'decisions'"
_SET_MARK = (
    "INSERT INTO progress VALUES ('decisions', ?) "
    "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"
)
_EPOCH = datetime.fromtimestamp(0, UTC)


def whole_from(execute: Execute) -> Timestamp | None:
    """See core.past.StartPage."""
    day = execute(_LAST_DAY).fetchone()[0]
    mark = execute(_MARK).fetchone()
    decided = None if mark is None else timestamp(_EPOCH + timedelta(microseconds=mark[0]))
    return after(day, decided)


def after(day: str | None, decided: Timestamp | None) -> Timestamp | None:
    """The first moment behind the day on which a removed task ended, and behind the newest removed
    decision."""
    found = [] if decided is None else [just_after(decided)]
    if day is not None:
        found.append(timestamp(datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)))
    return max(found, default=None)


def decisions_gone(execute: Execute, newest: Timestamp) -> None:
    """Note that decisions up to `newest` were removed."""
    execute(_SET_MARK, (microseconds(newest),))
