"""What the tracer keeps in mind: its places in the record, the one batch under way, and counts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.spans import Span


@dataclass(slots=True)
class Numbers:
    """What became of spans since this process began. `dropped`: it is not known that they were
    taken, and they are not offered again. `failed`: attempts that were in vain."""

    exported: int = 0
    dropped: int = 0
    failed: int = 0


@dataclass(slots=True, eq=False)
class Reader:
    """`name` is that of its place in the store. Past that it has looked up to `looked`, and found
    nothing to tell."""

    name: str
    kinds: frozenset[str]
    place: int = -1
    looked: int = -1

    def found_at(self, place: int) -> None:
        """It stands at `place`, wherever this process has left it."""
        if place != self.place:
            self.place = self.looked = place


@dataclass(frozen=True, slots=True)
class UnderWay:
    spans: Sequence[Span]
    taken: "asyncio.Future[bool]"


@dataclass(frozen=True, slots=True)
class Batch:
    reader: Reader
    after: int
    upto: int
    spans: Sequence[Span]
