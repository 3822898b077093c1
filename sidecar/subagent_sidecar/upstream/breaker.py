"""A circuit breaker for connecting: a dead server is asked now and then, not by everybody.

    CLOSED --(threshold failures in a row)--> OPEN --(pause over)--> HALF_OPEN
    HALF_OPEN lets one attempt through: success -> CLOSED, failure -> OPEN for twice as long

It judges attempts to connect only. A slow or failing answer is the business of its request.
"""

from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Attempts are numbered, so that a late one is not mistaken for the probe.

    Times are in seconds on the clock `now`. `why` says how the last attempt failed.
    """

    def __init__(
        self, *, threshold: int, pause: float, longest_pause: float, now: Callable[[], float]
    ) -> None:
        self.why = ""
        self._threshold = threshold
        self._first_pause = self._pause = pause
        self._longest_pause = longest_pause
        self._now = now
        self._attempts = 0
        self._failures = 0
        self._failing_since = 0.0
        self._open_until = 0.0
        self._probe: int | None = None

    @property
    def state(self) -> BreakerState:
        if self._failures < self._threshold:
            return BreakerState.CLOSED
        if self._probe is None and self._now() < self._open_until:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    @property
    def retry_after_s(self) -> float:
        """How long to wait before asking again makes sense."""
        if self._probe is not None:
            return self._first_pause
        return max(0.0, self._open_until - self._now())

    @property
    def failing_for_s(self) -> float:
        """How long ago the first failure of the row was."""
        return self._now() - self._failing_since

    def enter(self) -> int | None:
        """The number of the attempt that may be made now, or None: fail fast."""
        state = self.state
        if state is BreakerState.OPEN or self._probe is not None:
            return None
        self._attempts += 1
        if state is BreakerState.HALF_OPEN:
            self._probe = self._attempts
        return self._attempts

    def succeeded(self) -> None:
        """Any connection proves the server alive, also one begun before the breaker opened."""
        self._failures = 0
        self._probe = None

    def failed(self, attempt: int, why: str) -> None:
        self.why = why
        if attempt == self._probe:
            self._open(min(self._pause * 2, self._longest_pause))
        elif self._failures < self._threshold:
            if self._failures == 0:
                self._failing_since = self._now()
            self._failures += 1
            if self._failures == self._threshold:
                self._open(self._first_pause)

    def abandoned(self, attempt: int) -> None:
        """The attempt was cancelled and proves nothing; another one may probe."""
        if attempt == self._probe:
            self._probe = None

    def _open(self, pause: float) -> None:
        self._probe = None
        self._pause = pause
        self._open_until = self._now() + pause
