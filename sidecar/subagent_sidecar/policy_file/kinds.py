"""What may stand behind a key: how it is read, and the same said in JSON Schema.

Each reader raises ValueError with what is wanted. Where a schema cannot say all that the reader
asks for (a sum with too many decimals, a span of centuries) the reader is the stricter one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from ..core.matching import Comparison, Depth, Glob
from ..core.prices import usd
from ..core.units import duration

MOST = 10**12
DEEPEST = 1_000
LONGEST = timedelta(days=3_650)
_LONGEST_GLOB = 200
_LONGEST_MESSAGE = 1_000
_SHOWN = 60

_SPAN = r"[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d|w)"
_MONEY = r"[0-9]+(\.[0-9]+)?"
_COMPARED = r"(==|!=|<=|>=|<|>) ?[0-9]{1,4}"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
_ASSUME = "assume:"


@dataclass(frozen=True, slots=True)
class Kind:
    """`read` returns the value for the core."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]


def shown(value: Any) -> str:
    """What was written, as far as it fits into a sentence."""
    try:
        text = repr(value)
    except ValueError:  # an int of thousands of digits
        return "that number"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def whole(*, least: int, most: int) -> Kind:
    def read(given: Any) -> int:
        if isinstance(given, float) and given.is_integer():
            given = int(given)
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise ValueError(f"{shown(given)} is not a whole number from {least} to {most:,}")
        return given

    return Kind(read, {"type": "integer", "minimum": least, "maximum": most})


def words(choices: type[StrEnum]) -> Kind:
    listed = [choice.value for choice in choices]

    def read(given: Any) -> StrEnum:
        if not isinstance(given, str) or given not in listed:
            raise ValueError(f"{shown(given)} is none of: {', '.join(listed)}")
        return choices(given)

    return Kind(read, {"enum": listed})


def _span(given: Any) -> timedelta:
    """Like everywhere, and nothing longer than dates can be reckoned with."""
    bare = not isinstance(given, bool) and given == 0
    if not bare and not (isinstance(given, str) and re.fullmatch(f"{_SPAN}|0", given)):
        raise ValueError(f"{shown(given)} is not a duration such as 250ms, 20s, 5m, 2h or 7d")
    try:
        span = duration(given)
    except ValueError:
        span = timedelta.max
    if span > LONGEST:
        raise ValueError(f"{shown(given)} is longer than {LONGEST.days} days")
    return span


def _some_span(given: Any) -> timedelta:
    if not (span := _span(given)):
        raise ValueError("must be more than 0")
    return span


def _micro(given: Any) -> int:
    """USD as people write them; micro-USD, exactly."""
    wanted = f"{shown(given)} is not an amount of USD such as 5.00"
    if isinstance(given, str) and not re.fullmatch(_MONEY, given):
        raise ValueError(wanted)
    try:
        micro = usd(given) * 10**6
    except ValueError as error:
        raise ValueError(f"{wanted}, of at most 1,000,000") from error
    if not micro:
        raise ValueError("must be more than 0")
    if micro != int(micro):
        raise ValueError(f"{shown(given)} has more than six decimals")
    return int(micro)


def _per_mtok(given: Any) -> Decimal:
    if isinstance(given, str) and not re.fullmatch(_MONEY, given):
        raise ValueError(f"{shown(given)} is not an amount of USD such as 3.0")
    return usd(given)


def _share(given: Any) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < 1:
        raise ValueError(f"{shown(given)} is not a share of the budget between 0 and 1, as in 0.8")
    return Decimal(str(given))


def _unpriced(given: Any) -> int | str:
    """Micro-USD for `assume:0.50`, else the word."""
    if isinstance(given, str):
        if given in ("deny_new", "ignore"):
            return given
        if given.startswith(_ASSUME):
            return _micro(given.removeprefix(_ASSUME))
    raise ValueError(f"{shown(given)} is none of: assume:USD (as in assume:0.50), deny_new, ignore")


def _globs(given: Any) -> tuple[Glob, ...]:
    listed = given if isinstance(given, list) else [given]
    if not listed:
        raise ValueError("is empty: it would match nothing")
    return tuple(_glob(each) for each in listed)


def _glob(given: Any) -> Glob:
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_GLOB:
        raise ValueError(
            f"{shown(given)} is not a name with or without `*` and `?`; quote what is not a text"
        )
    return Glob(given)


def _depth(given: Any) -> Depth:
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= DEEPEST:
        return Depth(Comparison.EQUAL, given)
    if isinstance(given, str) and (found := re.fullmatch(_COMPARED, given)):
        return Depth(Comparison(found[1]), int(given.removeprefix(found[1])))
    raise ValueError(f"{shown(given)} is not a depth such as 1, '>=1' or '<3'")


def _true(given: Any) -> bool:
    if given is not True:
        raise ValueError("can only be true; leave the rule out where it should not hold")
    return True


def _name(given: Any) -> str:
    if not isinstance(given, str) or not re.fullmatch(_NAME, given):
        raise ValueError(
            f"{shown(given)} is not a name: letters, digits, '_', '.', '-', at most 63 of them"
        )
    return given


def _message(given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError("must be a text for the calling model")
    if len(given) > _LONGEST_MESSAGE:
        raise ValueError(f"is longer than {_LONGEST_MESSAGE:,} characters")
    text = " ".join(given.split())
    if not text.isprintable():
        raise ValueError("has characters that cannot be shown")
    return text


def _version(given: Any) -> int:
    if isinstance(given, bool) or given != 1:
        raise ValueError(f"{shown(given)} is unknown; this sidecar reads version 1")
    return 1


_SPAN_TEXT = {"type": "string", "pattern": f"^{_SPAN}$"}
_SOME_SPAN_TEXT = {"type": "string", "pattern": f"^(?=.*[1-9]){_SPAN}$"}
_MONEY_TEXT = {"type": "string", "pattern": f"^{_MONEY}$"}
_SOME_MONEY_TEXT = {"type": "string", "pattern": f"^(?=.*[1-9]){_MONEY}$"}
_GLOB_TEXT = {"type": "string", "minLength": 1, "maxLength": _LONGEST_GLOB}

VERSION = Kind(_version, {"const": 1})
NAME = Kind(_name, {"type": "string", "pattern": f"^{_NAME}$"})
MESSAGE = Kind(_message, {"type": "string", "pattern": r"\S", "maxLength": _LONGEST_MESSAGE})
TRUE = Kind(_true, {"const": True})
COUNT = whole(least=1, most=MOST)
DEPTH = whole(least=0, most=DEEPEST)
SPAN = Kind(_span, {"anyOf": [_SPAN_TEXT, {"enum": [0, "0"]}]})
SOME_SPAN = Kind(_some_span, _SOME_SPAN_TEXT)
USD = Kind(
    _micro,
    {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 10**6}, _SOME_MONEY_TEXT]},
)
PER_MTOK = Kind(
    _per_mtok, {"anyOf": [{"type": "number", "minimum": 0, "maximum": 10**6}, _MONEY_TEXT]}
)
SHARE = Kind(_share, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})
UNPRICED = Kind(
    _unpriced,
    {
        "anyOf": [
            {"enum": ["deny_new", "ignore"]},
            {"type": "string", "pattern": f"^{_ASSUME}(?=.*[1-9]){_MONEY}$"},
        ]
    },
)
GLOBS = Kind(_globs, {"anyOf": [_GLOB_TEXT, {"type": "array", "items": _GLOB_TEXT, "minItems": 1}]})
DEPTH_TEST = Kind(
    _depth,
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": DEEPEST},
            {"type": "string", "pattern": f"^{_COMPARED}$"},
        ]
    },
)
