"""What messages of models used."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..quick import quick
from .words import Timestamp


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry:
    """The tokens of one message of a model, counted once however often it is seen.

    `run_id` is the run it was first seen in; `message_id` is unique in its task. `input_tokens`
    include the cached ones, as LangChain's `usage_metadata` has it. `cost_micro_usd` is None
    where no price is known.
    """

    task_id: str
    message_id: str
    run_id: str
    at: Timestamp
    model: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micro_usd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A sum of entries. `cost_micro_usd` is None as soon as one of them has no price: unknown is
    not zero. `models` in alphabetical order."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_micro_usd: int | None
    models: tuple[str, ...]


def total(entries: Iterable[UsageEntry]) -> Usage | None:
    """The sum of `entries`; None of none, for what was never seen is not zero."""
    listed = list(entries)
    if not listed:
        return None
    costs = [entry.cost_micro_usd for entry in listed]
    return Usage(
        input_tokens=sum(entry.input_tokens for entry in listed),
        output_tokens=sum(entry.output_tokens for entry in listed),
        cache_read_tokens=sum(entry.cache_read_tokens for entry in listed),
        cache_write_tokens=sum(entry.cache_write_tokens for entry in listed),
        cost_micro_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        models=tuple(sorted({entry.model for entry in listed if entry.model})),
    )
