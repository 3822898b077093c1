"""A bar for what takes time: its parts, and marks for what happened meanwhile. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from subagentctl.look import Look
from subagentctl.timescale import Scale


class Part(Enum):
    """What goes on; its sign, the same in ASCII, and what it means."""

    QUEUED = ("░", ".", "queued")
    WORK = ("█", "=", "at work")
    WAITING = ("▒", "~", "waiting for a human")
    UNKNOWN = ("?", "?", "its server does not tell")
    SPAN = ("─", "-", "span of others")

    def sign(self, look: Look) -> str:
        return self.value[0] if look.unicode else self.value[1]

    @property
    def meaning(self) -> str:
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Segment:
    """`grows`: it has no end yet, and `end` is now."""

    part: Part
    begin: datetime
    end: datetime
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign at a moment."""

    at: datetime
    sign: str


def bar(segments: Sequence[Segment], scale: Scale, look: Look, marks: Sequence[Mark] = ()) -> str:
    """Later segments lie over earlier ones, marks over all; nothing trails the last sign."""
    cells = [" "] * scale.columns
    for segment in segments:
        for column in scale.stretch(segment.begin, segment.end):
            cells[column] = segment.part.sign(look)
    for segment in segments:
        if segment.grows:
            cells[scale.stretch(segment.begin, segment.end)[-1]] = growing(look)
    for each in marks:
        cells[scale.column(each.at)] = each.sign
    return "".join(cells).rstrip()


def growing(look: Look) -> str:
    """The tip of what goes on."""
    return "▶" if look.unicode else ">"
