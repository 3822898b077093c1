"""Time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Wall time, UTC, for records."""

    def unix_us(self) -> int:
        """`now` as whole microseconds since 1970."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps, for deadlines inside this process."""
