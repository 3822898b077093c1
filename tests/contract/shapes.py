"""The shape of a JSON value: which keys, which kinds of values; not which values."""

import re
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
_OF_THE_GRAPH = ("ls_", "lc_")
"""Metadata that a recorded graph's own library added; the server knows nothing of it."""


def shape_of(value: Any) -> Any:
    """Objects keep their keys; lists become the shapes found in them; text its kind."""
    match value:
        case dict():
            return {
                _key(key): shape_of(part)
                for key, part in value.items()
                if not key.startswith(_OF_THE_GRAPH)
            }
        case list():
            shapes = [shape_of(part) for part in value]
            return sorted({repr(shape): shape for shape in shapes}.items())
        case str():
            return _kind(value)
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case _:
            return "null"


def _key(key: str) -> str:
    return "<uuid>" if _UUID.fullmatch(key) else key


def _kind(text: str) -> str:
    if _UUID.fullmatch(text):
        return "uuid"
    return "time" if _TIME.fullmatch(text) else "text"
