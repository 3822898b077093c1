"""How far the record has been told as spans: a place for each reader, moved by claims alone."""

from .tails import Execute

_PLACE = "SELECT value FROM progress WHERE name = ?"
_BEGIN = "INSERT OR IGNORE INTO progress SELECT ?, coalesce(max(seq), 0) FROM events"
_CLAIM = "UPDATE progress SET value = ? WHERE name = ? AND value = ?"


def place(execute: Execute, name: str) -> int | None:
    """See ports.SpanPlaces."""
    row = execute(_PLACE, (name,)).fetchone()
    return None if row is None else int(row[0])


def begin(execute: Execute, names: tuple[str, ...]) -> None:
    """See ports.SpanPlaces."""
    for name in names:
        execute(_BEGIN, (name,))


def claim(execute: Execute, name: str, after: int, upto: int) -> bool:
    """See ports.SpanPlaces. An update of no row changes nothing, so the row is asked for first."""
    if place(execute, name) != after:
        return False
    execute(_CLAIM, (upto, name, after))
    return True
