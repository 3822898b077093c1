"""Records that point at their parents, drawn as a tree. Pure, and not recursive: it may be deep."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from subagentctl.look import Look

R = TypeVar("R")

_DEEPEST_DRAWN = 6


@dataclass(frozen=True, slots=True)
class Branch(Generic[R]):
    """`head` stands before its name, `under` before what is told of it below."""

    record: R
    depth: int
    head: str
    under: str


def branches(
    records: Sequence[R], *, key: Callable[[R], str], parent: Callable[[R], str], look: Look
) -> Iterator[Branch[R]]:
    """Every record once, a parent before its children, those in the order in which they came. One
    whose parent is not there, or that is its own ancestor, stands at the top."""
    below: dict[str, list[R]] = {}
    keys = {key(record) for record in records}
    for record in records:
        below.setdefault(parent(record) if parent(record) in keys else "", []).append(record)
    told: set[str] = set()
    for top in (*below.get("", ()), *records):  # what is left after the tops goes in circles
        yield from _from(top, below, told, key, look)


def _from(
    top: R, below: dict[str, list[R]], told: set[str], key: Callable[[R], str], look: Look
) -> Iterator[Branch[R]]:
    waiting = [(top, 0, "", "")]
    while waiting:
        record, depth, head, under = waiting.pop()
        if key(record) in told:
            continue
        told.add(key(record))
        yield Branch(record, depth, head, under)
        children = [child for child in below.get(key(record), ()) if key(child) not in told]
        for child in reversed(children):
            last = child is children[-1]
            waiting.append((child, depth + 1, *_drawn(under, depth + 1, last, look)))


def _drawn(under: str, depth: int, last: bool, look: Look) -> tuple[str, str]:
    """What stands before a child, and before what is below it. Very deep ones say how deep."""
    if depth > _DEEPEST_DRAWN:
        return f"{under}{look.nested}{depth} ", under
    fork, corner, line = ("├ ", "└ ", "│ ") if look.unicode else ("+ ", "\\ ", "| ")
    return under + (corner if last else fork), under + ("  " if last else line)
