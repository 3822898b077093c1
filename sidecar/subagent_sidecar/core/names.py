"""Names that somebody typed, and the ones that they may have meant."""

from collections.abc import Sequence
from difflib import get_close_matches

_SHOWN = 3
_COMPARED = 500
"""How many names are compared letter by letter, which takes some 50 microseconds each."""
_LEAST = 4
"""Characters that a name must share with another one's begin or end to be taken for a part."""


def nearest(given: str, known: Sequence[str]) -> tuple[str, ...]:
    """The few of `known` that `given` may stand for: those it is a part of, else those like it."""
    text = given.strip().casefold()
    if len(text) >= _LEAST:
        parts = [one for one in known if _is_end(text, one.casefold())]
        if parts:
            return tuple(parts[:_SHOWN])
    folded = {one.casefold(): one for one in reversed(known[:_COMPARED])}
    return tuple(folded[one] for one in get_close_matches(text, folded, n=_SHOWN))


def _is_end(part: str, whole: str) -> bool:
    return whole.startswith(part) or whole.endswith(part)


def is_pattern(given: str) -> bool:
    """Whether it is one in a policy's `match`."""
    return bool(set(given) & {"*", "?"})
