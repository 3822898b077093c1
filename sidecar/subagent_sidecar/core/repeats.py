"""Which of many messages about one thing are worth a line each, so that an outage is no flood."""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class _Line:
    """The last line there was, and how many messages were not worth one since then."""

    at: float
    held_back: int = 0


class Repeats:
    """The first message about a thing is worth a line; of those that follow, one every `pause_s`
    seconds, and it can say how many there were in between.

    It remembers every thing it is asked about: they must be few.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._lines: dict[Hashable, _Line] = {}

    def held_back(self, about: Hashable, now: float) -> int | None:
        """How many were held back since the last line, which makes this one a line; None: it is
        to be held back as well. `now` in seconds, on a clock that never jumps."""
        last = self._lines.get(about)
        if last is not None and now - last.at < self._pause_s:
            last.held_back += 1
            return None
        self._lines[about] = _Line(now)
        return last.held_back if last is not None else 0
