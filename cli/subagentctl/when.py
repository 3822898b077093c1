"""Moments and spans, as people write them and as people read them."""

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"([0-9]+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_moment(text: object) -> datetime | None:
    """An ISO-8601 moment in UTC (one without a zone is taken as UTC), or None if it is not one."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_since(text: str, now: datetime) -> datetime:
    """`30m`, `2h`, `7d` (back from `now`) or an ISO-8601 moment. Raises ValueError."""
    text = text.strip()
    if (span := _SPAN.fullmatch(text.lower())) is not None:
        try:
            return now - timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
        except OverflowError as error:
            raise ValueError(f"{text!r} is further back than time goes") from error
    if (moment := parse_moment(text)) is not None:
        return moment
    raise ValueError(
        f"{text!r} is neither a span like 30m, 2h, 7d nor a moment like 2026-11-23T02:49:52Z"
    )


def to_wire(moment: datetime) -> str:
    """ISO-8601 UTC with `Z`, as the admin plane speaks it."""
    return moment.isoformat().replace("+00:00", "Z")


def age(then: datetime | None, now: datetime) -> str:
    """One number and one unit: `12s`, `3m`, `2h`, `4d`; empty when `then` is unknown.

    A clock that is behind the sidecar's makes ages negative: those are shown as `0s`.
    """
    if then is None:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for limit, divisor, unit in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{seconds // divisor}{unit}"
    return f"{seconds // 86400}d"


def span(seconds: float) -> str:
    """A length of time with two units at most: `0.9s`, `42s`, `3m 12s`, `2h 5m`, `4d 1h`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def stamp(then: datetime) -> str:
    """A moment to the second, in UTC and saying so."""
    return then.strftime("%Y-%m-%d %H:%M:%S UTC")
