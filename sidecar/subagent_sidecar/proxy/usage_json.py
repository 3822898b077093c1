"""What a task or a run used, as the admin plane shows it."""

from collections.abc import Iterable
from typing import Any

from ..core.model import UsageEntry, total
from ..core.prices import usd_text


def usage_json(entries: Iterable[UsageEntry]) -> dict[str, Any] | None:
    """The sum, its cost as decimal text; null where nothing is known, which is not zero."""
    usage = total(entries)
    if usage is None:
        return None
    cost = usage.cost_micro_usd
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cost_usd": None if cost is None else usd_text(cost),
        "model": ", ".join(usage.models) or None,
        "models": list(usage.models),
    }
