"""A stretch of time on a line of text: where a moment stands, and how the line is marked. Pure."""

from dataclasses import dataclass
from datetime import datetime

from subagentctl.when import span

_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 31_536_000),
)
"""Seconds between two marks: numbers that people count in."""

_SHORTEST_S = 0.1


@dataclass(frozen=True, slots=True)
class Scale:
    """`columns` of text for the time from `begin` on."""

    begin: datetime
    seconds: float
    columns: int

    def column(self, moment: datetime) -> int:
        """Where a moment stands; what lies outside stands at the edge."""
        return min(max(int(self._at(moment)), 0), self.columns - 1)

    def stretch(self, begin: datetime, end: datetime) -> range:
        """The columns that hold any of it, one at least."""
        first = self.column(begin)
        past = self._at(end)
        last = int(past) if past > int(past) else int(past) - 1
        return range(first, min(max(last, first), self.columns - 1) + 1)

    def axis(self) -> str:
        """`0s      2m      4m`, as many marks as can be read."""
        line, step = "", self._step()
        for number in range(self.columns):
            at, word = round(number * step / self.seconds * self.columns), mark(number * step)
            if at + len(word) > self.columns:
                break
            if at > len(line) or not line:
                line = line.ljust(at) + word
        return line

    def _step(self) -> float:
        """The smallest step whose marks leave room between each other."""
        for step in _STEPS:
            if step / self.seconds * self.columns >= len(mark(step)) + 3:
                return step
        return max(self.seconds, _STEPS[-1])

    def _at(self, moment: datetime) -> float:
        return (moment - self.begin).total_seconds() / self.seconds * self.columns


def scale(begin: datetime, end: datetime, columns: int) -> Scale:
    """One that holds both; of no time at all it makes a little."""
    return Scale(begin, max((end - begin).total_seconds(), _SHORTEST_S), max(columns, 1))


def mark(seconds: float) -> str:
    """`0s`, `0.5s`, `2m`, `1h 30m`: without what is nothing."""
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    words = span(seconds).split(" ")
    return " ".join(word for word in words if word[0] != "0") or words[0]
