"""Counters for what no record holds: requests, waits, commits. Bumped in the middle of requests,
so they are plain numbers in fixed places; what is said of them is made up when somebody asks.
"""

from bisect import bisect_left
from collections.abc import Sequence

from ...errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreRejected,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds in seconds, for what a sidecar does itself."""
ANSWERS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds for what a server answers."""
LONG = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400)
"""Bounds for what tasks do: from a second to four hours."""

UNREACHABLE, TIMEOUT, BROKEN = "unreachable", "timeout", "broken"


class Histogram:
    """How many values fell at or below each bound, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def add(self, other: "Histogram") -> None:
        """Count what another of the same bounds has counted as well."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    def copy(self) -> "Histogram":
        twin = Histogram(self.bounds)
        twin.counts, twin.sum = list(self.counts), self.sum
        return twin


class UpstreamMeter:
    """Requests to one server, however they came about. `waits` are until the head of an answer;
    `streams` are answers that are being passed on in pieces, `sockets` WebSockets, both now."""

    __slots__ = ("classes", "failures", "sockets", "streams", "waits")

    def __init__(self) -> None:
        self.classes = [0] * 10
        """Answers by the first digit of their status."""
        self.failures = {UNREACHABLE: 0, TIMEOUT: 0, BROKEN: 0}
        self.waits = Histogram(ANSWERS)
        self.streams = 0
        self.sockets = 0

    def answered(self, status: int, seconds: float) -> None:
        self.classes[status // 100] += 1
        waits = self.waits
        waits.counts[bisect_left(ANSWERS, seconds)] += 1
        waits.sum += seconds

    def failed(self, error: UpstreamError) -> None:
        """No answer came of a request."""
        if isinstance(error, UpstreamUnreachable):
            self.failures[UNREACHABLE] += 1
        elif isinstance(error, UpstreamTimeout):
            self.failures[TIMEOUT] += 1
        else:
            self.failures[BROKEN] += 1


class ActMeter:
    """Answered requests that do one thing, by the first digit of the status; and the time that was
    ours, of answers that came in one piece."""

    __slots__ = ("classes", "own")

    def __init__(self) -> None:
        self.classes = [0] * 10
        self.own = Histogram(FAST)


class ProxyMeter:
    """Answered requests of supervisors, by what they do."""

    __slots__ = ("acts",)

    def __init__(self) -> None:
        self.acts: dict[str, ActMeter] = {}

    def answered(self, act: str, status: int, own_s: float | None) -> None:
        """`own_s` is None where the time went by with the client's and the server's pace."""
        meter = self.acts.get(act)
        if meter is None:
            meter = self.acts[act] = ActMeter()
        meter.classes[status // 100] += 1
        if own_s is not None:
            own = meter.own
            own.counts[bisect_left(FAST, own_s)] += 1
            own.sum += own_s


ADMIN_REFUSALS = ("no_token", "wrong_token", "role", "page")


class AdminMeter:
    """Requests that the admin plane did not let in, by why."""

    __slots__ = ("refusals",)

    def __init__(self) -> None:
        self.refusals = dict.fromkeys(ADMIN_REFUSALS, 0)

    def refused(self, reason: str) -> None:
        self.refusals[reason] += 1


NO_KEY = ("missing", "unknown", "expired", "revoked")


class GateMeter:
    """Requests that were not let in, by what was wrong with their key."""

    __slots__ = ("refused",)

    def __init__(self) -> None:
        self.refused = dict.fromkeys(NO_KEY, 0)


class StoreMeter:
    """Commits, as the thread that makes them sees them, and what failed."""

    __slots__ = ("commits", "failures", "writes")

    def __init__(self) -> None:
        self.commits = Histogram(FAST)
        self.writes = 0
        self.failures = dict.fromkeys(STORE_FAILURES, 0)

    def committed(self, writes: int, seconds: float) -> None:
        """A transaction with that many writes is over."""
        self.commits.observe(seconds)
        self.writes += writes

    def failed(self, error: StoreError) -> None:
        self.failures[_failure(error)] += 1


STORE_FAILURES = ("busy", "rejected", "corrupt", "unavailable")


def _failure(error: StoreError) -> str:
    match error:
        case StoreBusy():
            return "busy"
        case StoreRejected():
            return "rejected"
        case StoreCorrupt():
            return "corrupt"
        case _:
            return "unavailable"
