"""Reading records that came over the network: a field is there, or it is not; nothing raises."""

from collections.abc import Mapping
from datetime import datetime

from subagentctl.when import parse_moment

Record = Mapping[str, object]

_SHORT = 8


def text(record: Record, key: str) -> str:
    """The field as text; a missing or null one is empty."""
    value = record.get(key)
    if value is None:
        return ""
    return value if isinstance(value, str) else _plain(value)


def _plain(value: object) -> str:
    """Numbers and the like. An int of thousands of digits refuses to become text."""
    try:
        return str(value)
    except (ValueError, RecursionError):
        return "?"


def number(record: Record, key: str) -> float | int | None:
    """The field if it is a number, also one written as text (money may be)."""
    value = record.get(key)
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) else None


def count(record: Record, key: str) -> int:
    """The field as a number of things, 0 when it is none."""
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def moment(record: Record, key: str) -> datetime | None:
    return parse_moment(record.get(key))


def nested(record: Record, key: str) -> Record:
    """The object under `key`, an empty one when there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def records(record: Record, key: str) -> list[Record]:
    """The objects in the list under `key`."""
    value = record.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def short_id(task: Record) -> str:
    """The sidecar's shortest unique id, or the end of the id: heads of new ids are alike."""
    return text(task, "short_id") or text(task, "task_id")[-_SHORT:]
