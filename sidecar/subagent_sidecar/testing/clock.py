"""Clocks for tests."""

from datetime import UTC, datetime, timedelta

from subagent_sidecar.clock import SystemClock

_START = datetime(2026, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class FakeClock:
    """A `ports.Clock` that stands still until a test moves it."""

    def __init__(self, start: datetime = _START) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def unix_us(self) -> int:
        return (self._now - _EPOCH) // _MICROSECOND

    def monotonic(self) -> float:
        return self._monotonic

    def tick(self, seconds: float) -> None:
        """Let time pass: both readings move on together."""
        if seconds < 0:
            raise ValueError("time passes forwards; jump() sets the wall clock back")
        self._monotonic += seconds
        self.jump(seconds)

    def jump(self, seconds: float) -> None:
        """Reset the wall clock, forwards or back; the monotonic reading does not notice."""
        self._now += timedelta(seconds=seconds)


class JumpingClock:
    """A `ports.Clock` that goes with the machine's, but for the jumps a test makes it take."""

    def __init__(self) -> None:
        self._machine = SystemClock()
        self._ahead = timedelta()

    def now(self) -> datetime:
        return self._machine.now() + self._ahead

    def unix_us(self) -> int:
        return self._machine.unix_us() + self._ahead // _MICROSECOND

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back; the monotonic reading does not notice."""
        self._ahead += timedelta(seconds=seconds)
