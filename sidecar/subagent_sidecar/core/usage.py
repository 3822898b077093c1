"""What a model's work cost in tokens, read from the messages of a thread.

Servers show messages as LangChain writes them: `usage_metadata` with the whole (`input_tokens`,
which includes what came out of or went into a cache, and `output_tokens`) and the parts
(`input_token_details`), the model's name in `response_metadata`. langgraph-api puts the usage of
deepagents' graphs into `additional_kwargs` and leaves null where it should be. Anything may be
missing or nonsense: a message that does not say clearly what it used is passed over, never taken
for zero.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from .model import Run

_MOST_TOKENS = 10**12
"""No message has used more. Larger numbers are mistakes, and would overflow the books."""

_LONGEST = 200
_MODEL_KEYS = ("model_name", "model", "model_id", "ls_model_name")
_PROVIDER_KEYS = ("model_provider", "ls_provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The tokens of one message. `input_tokens` include the cached ones, `cache_write_tokens` the
    ones kept for an hour (Anthropic asks more for those). `provider` is LangChain's word for who
    served the model."""

    message_id: str
    model: str | None
    provider: str | None = None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0


def readings(messages: Iterable[Any]) -> list[Reading]:
    """What the messages of one thread used, in their order. An id that comes twice counts once,
    as it was said last. Never raises."""
    found: dict[str, Reading] = {}
    nameless: Counter[str] = Counter()
    for message in messages:
        reading = _reading(_unwrapped(message))
        if reading is None:
            continue
        if not reading.message_id:
            likeness = _likeness(message)
            nameless[likeness] += 1
            reading = replace(reading, message_id=f"{likeness}-{nameless[likeness]}")
        found[reading.message_id] = reading
    return list(found.values())


def run_at_work(runs: Sequence[Run]) -> str | None:
    """The run that the newest messages of a thread are from: the last one that has begun. `runs`
    are in order. A follow-up that still waits its turn has said nothing yet."""
    begun = [run for run in runs if run.started_at is not None]
    last = begun[-1:] or runs[-1:]
    return last[0].run_id if last else None


def _reading(message: Mapping[Any, Any]) -> Reading | None:
    usage = _mapping(message, "usage_metadata")
    if not usage:
        usage = _mapping(_mapping(message, "additional_kwargs"), "usage_metadata")
    read, written = _tokens(usage, "input_tokens"), _tokens(usage, "output_tokens")
    if read is None or written is None:
        return None
    said = _mapping(message, "response_metadata")
    details = _mapping(usage, "input_token_details")
    hour = _tokens(details, "ephemeral_1h_input_tokens") or 0
    by_age = (_tokens(details, "ephemeral_5m_input_tokens") or 0) + hour
    return Reading(
        message_id=_text(message.get("id")) or "",
        model=_first(said, _MODEL_KEYS),
        provider=_first(said, _PROVIDER_KEYS),
        input_tokens=read,
        output_tokens=written,
        cache_read_tokens=_tokens(details, "cache_read") or 0,
        # Where langchain-anthropic tells them apart by age, it sets the sum to 0.
        cache_write_tokens=max(_tokens(details, "cache_creation") or 0, by_age),
        cache_write_1h_tokens=hour,
    )


def _unwrapped(message: Any) -> Mapping[Any, Any]:
    """The fields of a message, also of one in LangChain's constructor form."""
    if not isinstance(message, dict):
        return {}
    return _mapping(message, "kwargs") if "lc" in message else message


def _mapping(parent: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _tokens(usage: Mapping[Any, Any], key: str) -> int | None:
    """A number of tokens. Other languages have no integers: 104.0 is one."""
    value = usage.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None


def _first(said: Mapping[Any, Any], keys: Sequence[str]) -> str | None:
    return next((text for key in keys if (text := _text(said.get(key)))), None)


def _text(value: Any) -> str | None:
    """Text that can be kept and shown; None for what is none, or too long for a name."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        return None
    return value  # no surrogates either: they are not printable


def _likeness(message: Any) -> str:
    """What stands for the id of a message that has none: the same for the same message, wherever
    in the list it stands."""
    try:
        text = json.dumps(message, sort_keys=True, default=str)
    except (ValueError, TypeError, RecursionError):
        text = ""
    return f"no-id-{sha256(text.encode()).hexdigest()[:24]}"
