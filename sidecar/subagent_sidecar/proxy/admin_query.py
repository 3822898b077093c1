"""Reading what stands in a query, and the cursors of pages."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..core.model import Timestamp, timestamp
from ..errors import BadQuery

_NOT_OURS = "cursor: not one of ours; start again without it"


def known(given: Mapping[str, str], names: frozenset[str]) -> None:
    """Raises BadQuery for a key that means nothing here."""
    for unknown in given.keys() - names:
        raise BadQuery(f"'{unknown[:80]}' is not known here; there are: {', '.join(sorted(names))}")


def moment(name: str, text: str | None) -> Timestamp | None:
    """An ISO-8601 time; without a zone it is taken as UTC."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return timestamp(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise BadQuery(f"{name}: '{text[:80]}' is not an ISO-8601 time") from error


def number(name: str, text: str, least: int, most: int) -> int:
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not least <= found <= most:
        raise BadQuery(f"{name}: '{text[:80]}' is not a number from {least} to {most}")
    return found


def truth(name: str, text: str) -> bool:
    if text.lower() in ("true", "1", "yes", ""):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise BadQuery(f"{name}: '{text[:80]}' is neither true nor false")


def cursor(position: Any) -> str | None:
    """A position as text that says nothing to anybody else."""
    if position is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def position(text: str | None) -> Any:
    """What `cursor` was made of, as JSON has it."""
    if not text:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadQuery(_NOT_OURS) from error


def texts(text: str | None, count: int) -> tuple[str, ...] | None:
    """A position of `count` texts."""
    found = position(text)
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != count:
        raise BadQuery(_NOT_OURS)
    if not all(isinstance(each, str) and each.isascii() for each in found):
        raise BadQuery(_NOT_OURS)
    return tuple(found)


def count(text: str | None) -> int | None:
    """A position that is a number."""
    found = position(text)
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 2**62:
        raise BadQuery(_NOT_OURS)
    return found
