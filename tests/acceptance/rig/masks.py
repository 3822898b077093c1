"""Make two recordings comparable: ids become names, moments and addresses become placeholders."""

import difflib
import itertools
import json
import re
from typing import Any

_ID = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"
)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d{13}-\d+(?:\.\d+)?\b"
)
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")

_A_MILLISECOND_OF_OUR_TIME = 10**12

_PRIVATE_PREFIX = "sidecar_"
_EACH_REQUEST_ITS_OWN = frozenset({"langgraph_request_id", "x-request-id"})


class Mask:
    """Remembers the ids it has met, so "the same id again" survives the masking.

    Ids are numbered in order of appearance; use one mask for everything of one side.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value)
            case dict():
                return {
                    self._text(str(key)): self._field(str(key), item)
                    for key, item in sorted(value.items(), key=_by_name)
                    if not str(key).startswith(_PRIVATE_PREFIX)
                }
            case int() if value > _A_MILLISECOND_OF_OUR_TIME:
                return "<moment>"
            case list() | tuple():
                return [self(item) for item in value]
            case _:
                return value

    def _field(self, key: str, value: Any) -> Any:
        return "<request>" if key in _EACH_REQUEST_ITS_OWN else self(value)

    def _text(self, text: str) -> str:
        text = _MOMENT.sub("<moment>", text)
        text = _ADDRESS.sub("<address>", text)
        return _ID.sub(self._name, text)

    def _name(self, found: re.Match[str]) -> str:
        return self._names.setdefault(found.group(), f"<id {len(self._names) + 1}>")


def _by_name(field: tuple[Any, Any]) -> str:
    """Ids say nothing of an order: fields that have one for a name stay as they came."""
    return _ID.sub("", str(field[0]))


_DIFFERENCE_LINES = 80


def difference(direct: Any, through: Any) -> str:
    """What differs once both are masked, as a diff a person can read; empty when nothing does."""
    lines = difflib.unified_diff(
        _lines(direct), _lines(through), "directly", "through the sidecar", lineterm=""
    )
    return "\n".join(itertools.islice(lines, _DIFFERENCE_LINES))


def _lines(side: Any) -> list[str]:
    return json.dumps(Mask()(side), indent=1, ensure_ascii=False).splitlines()
