"""The real clock; the only place that reads the time."""

import time
from datetime import UTC, datetime


class SystemClock:
    """ports.Clock of this machine."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - this is the Clock

    def unix_us(self) -> int:
        return time.time_ns() // 1_000  # noqa: TID251 - this is the Clock

    monotonic = staticmethod(time.monotonic)  # itself: requests read it many times
