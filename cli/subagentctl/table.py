"""Columns of text that fit a width: shrunk, then dropped, then cut, never wrapped.

How a table that is too wide is made to fit, in this order, until it does:

1. every column has its natural width, at most its `cap`; the stretching one gives up what is
   missing, down to where it is at `ease`;
2. the others shrink, down to their `least`, in the order of `yields`; then the stretching one;
3. columns are left out, in the order of `drops`, and 1 and 2 begin anew with the rest;
4. what is still too long is cut off at the edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from subagentctl.look import Look
from subagentctl.text import clean, cut, cut_middle, width

_GAP = 2
_UNBOUNDED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; `yields` and `drops` say when it gives way (lower: sooner; None: never)."""

    title: str
    cap: int = _UNBOUNDED
    least: int = 1
    yields: int | None = None
    drops: int | None = None
    right: bool = False
    is_id: bool = False
    stretches: bool = False
    ease: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """Text for one place of the table, made by `cell`, and the style to paint it in."""

    text: str
    style: str = ""


def cell(text: str, style: str = "") -> Cell:
    """A cell holding whatever text came from elsewhere, made harmless."""
    return Cell(clean(text).strip(), style)


Row = Sequence[Cell]


def table(columns: Sequence[Column], rows: Sequence[Row], look: Look) -> list[str]:
    """A header and one line per row, each at most `look.width` columns."""
    widths = fit(columns, _natural(columns, rows), look.width)
    header = [Cell(column.title, "head") for column in columns]
    return [_line(columns, widths, row, look) for row in (header, *rows)]


def fit(columns: Sequence[Column], natural: Sequence[int], available: int | None) -> list[int]:
    """The width of each column, 0 for those left out."""
    if available is None:
        return list(natural)
    capped = [min(size, column.cap) for column, size in zip(columns, natural, strict=True)]
    widths = _squeezed(columns, capped, available)
    for index in _in_order([column.drops for column in columns]):
        if _total(widths) <= available:
            break
        capped[index] = 0
        widths = _squeezed(columns, capped, available)
    return widths


def _squeezed(columns: Sequence[Column], wanted: Sequence[int], available: int) -> list[int]:
    """Widths with as much given up as is needed and allowed; it may still be too much."""
    widths = list(wanted)
    stretching = [index for index, column in enumerate(columns) if column.stretches]
    yielding = _in_order([column.yields for column in columns])
    floors = [
        *((index, columns[index].ease) for index in stretching),
        *((index, columns[index].least) for index in (*yielding, *stretching)),
    ]
    for index, floor in floors:
        excess = max(0, _total(widths) - available)
        widths[index] = max(min(widths[index], floor), widths[index] - excess)
    return widths


def _in_order(places: Sequence[int | None]) -> list[int]:
    """Indexes of the places that are given, by place."""
    return [index for _, index in sorted((p, i) for i, p in enumerate(places) if p is not None)]


def _total(widths: Sequence[int]) -> int:
    shown = [size for size in widths if size]
    return sum(shown) + _GAP * max(0, len(shown) - 1)


def _natural(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    sizes = [width(column.title) for column in columns]
    for row in rows:
        for index, each in enumerate(row):
            sizes[index] = max(sizes[index], width(each.text))
    return sizes


def _line(columns: Sequence[Column], widths: Sequence[int], row: Row, look: Look) -> str:
    """One row. Padding stays outside the paint; nothing trails the last text."""
    pieces: list[str] = []
    room = _UNBOUNDED if look.width is None else look.width
    owed = 0
    for column, size, each in zip(columns, widths, row, strict=True):
        if not size:
            continue
        shorten = cut_middle if column.is_id else cut
        text = shorten(each.text, size, look.ellipsis)
        before = owed + (size - width(text) if column.right else 0)
        if text and room > before:
            text = cut(text, room - before, look.ellipsis)
            pieces += [" " * before, look.paint(text, each.style)]
            room -= before + width(text)
            owed = _GAP + (0 if column.right else size - width(text))
        else:
            owed += size + _GAP
    return "".join(pieces)
