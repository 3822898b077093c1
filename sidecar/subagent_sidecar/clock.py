"""The real clock; the only place that reads the time."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock:
    """ports.Clock of this machine."""

    def now(self) -> datetime:
        # Not `fromtimestamp`: it rounds, and what `unix_us` says a moment later would be earlier.
        return _EPOCH + timedelta(microseconds=self.unix_us())

    def unix_us(self) -> int:
        return time.time_ns() // 1_000  # noqa: TID251 - this is the Clock

    monotonic = staticmethod(time.monotonic)  # itself: requests read it many times
