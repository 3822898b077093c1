"""Durations and sizes as people write them: `250ms`, `20s`, `1.5h`, `7d`; `64KiB`, `300MiB`."""

import re
from datetime import timedelta

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|KiB|MB|MiB|GB|GiB)?")
_BYTES = {
    None: 1,
    "B": 1,
    "KB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
}


def duration(text: object) -> timedelta:
    """The duration `text` names; a bare 0 is allowed. Raises ValueError with the form wanted."""
    if text == 0 or text == "0":
        return timedelta()
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    try:
        if found is not None:
            return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    except OverflowError:
        pass
    raise ValueError(f"{text!r} is not a duration such as 250ms, 20s, 5m, 2h or 7d")


def duration_text(span: timedelta) -> str:
    """`span` as `duration` reads it, in the largest unit that leaves it whole; `0` for none."""
    left = span // timedelta(microseconds=1)
    for unit, seconds in reversed(_SECONDS.items()):
        whole, rest = divmod(left, round(seconds * 1_000_000))
        if whole and not rest and not (unit == "w" and whole == 1):
            return f"{whole}{unit}"
    return f"{left // 1_000}.{left % 1_000:03d}ms" if left else "0"


def size(text: object) -> int:
    """Bytes. Raises ValueError with the form wanted."""
    found = _SIZE.fullmatch(str(text).strip()) if isinstance(text, str | int) else None
    try:
        if found is not None and not isinstance(text, bool):
            return int(float(found[1]) * _BYTES[found[2]])
    except OverflowError:
        pass
    raise ValueError(f"{text!r} is not a size such as 64KiB or 300MiB")
