"""What counts as started when, after somebody has set the wall clock back.

Windows end now, and what is on record goes by the wall clock. Set back by a day, it would have all
of the last day lie ahead: counted until its time comes round again, a day during which nothing
more may start. Left out of the windows instead, it would be a day's budget spent twice, and come
back to haunt tomorrow's. So once it is noticed, what lies ahead is taken to have started as much
earlier as the clock was set back: the newest just now, the rest as long before it as it was. What
a window held it goes on holding, and lets go of when its time is up. That is put on record
(`Run.counted_at`), so that it holds after a restart and for other processes; when it was started
by the clock of that day stays as it was.

A clock that is set forward makes everything older. That cannot be told from time that has passed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from .facts import Unit
from .model import Event, Timestamp, timestamp

TOLERANCE = timedelta(seconds=5)
"""By so much the clocks of several hosts may differ."""

_AGAIN = timedelta(minutes=1)
"""While the clock is behind, starts that were on their way when it was set back still arrive."""


class Books(Protocol):
    def last_told(self) -> Timestamp | None:
        """The newest time on record, found without a long look: of the last event or task."""

    def counted_after(self, moment: Timestamp) -> Mapping[Unit, Timestamp]:
        """When runs count as started that do so after `moment`."""

    def count_as_of(self, moments: Mapping[Unit, Timestamp]) -> None:
        """From now on these runs count as started then."""

    def add_event(self, event: Event) -> None: ...


class WallClock:
    """Notices that the clock was set back, and sees to what is on record. One for each process
    that decides."""

    __slots__ = ("_ahead_until", "_latest", "_look_at")

    def __init__(self) -> None:
        self._latest: Timestamp | None = None
        self._look_at: Timestamp | None = None
        self._ahead_until: Timestamp = ""

    def reads(self, now: Timestamp, books: Books) -> bool:
        """Whether something counts as of another time than before."""
        latest = self._latest
        if latest is not None and now >= latest:
            self._latest = now
            if self._look_at is None or now < self._look_at:
                return False
            return self._look(now, books)
        if latest is None:
            latest = books.last_told() or now
            self._latest = max(latest, now)
        if latest <= timestamp(datetime.fromisoformat(now) + TOLERANCE):
            return False
        self._latest, self._ahead_until = now, latest
        return self._look(now, books)

    def _look(self, now: Timestamp, books: Books) -> bool:
        again = timestamp(datetime.fromisoformat(now) + _AGAIN)
        self._look_at = again if now < self._ahead_until else None
        return put_right(books, now)


def put_right(books: Books, now: Timestamp) -> bool:
    """See above. Whether there was anything to be put right; done twice it changes nothing."""
    moment = datetime.fromisoformat(now)
    ahead = books.counted_after(timestamp(moment + TOLERANCE))
    if not ahead:
        return False
    by = datetime.fromisoformat(max(ahead.values())) - moment
    books.count_as_of(
        {unit: timestamp(datetime.fromisoformat(at) - by) for unit, at in ahead.items()}
    )
    detail = {"by_s": round(by.total_seconds()), "runs": len(ahead)}
    books.add_event(Event(at=now, kind="clock_set_back", detail=detail))
    return True
