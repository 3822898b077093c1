"""What to say of a key that the configuration does not have. Pure."""

from collections.abc import Iterable

from ..core.names import nearest


def unknown(given: object, known: Iterable[str], *, what: str = "key") -> str:
    """The one that was probably meant; where none is like it, all there are."""
    names = list(known)
    if close := nearest(str(given), names):
        return f"unknown {what}; did you mean `{close[0]}`?"
    return f"unknown {what}; known: {', '.join(names)}"
