"""What is kept of tasks whose records are pruned: how many there were and what they used."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, replace

from .model import Task, UsageEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Pruned tasks that agree in the first six fields. `day` (UTC) is that of their ends.

    Tasks and runs are counted where `model` is empty, tokens under the model that used them (empty
    where it is not known). Of `messages`, `unpriced` have no price: `cost_micro_usd` is the cost
    of the others.
    """

    day: str
    supervisor: str
    agent_name: str
    upstream: str
    status: str
    model: str = ""
    tasks: int = 0
    runs: int = 0
    messages: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micro_usd: int = 0


_KEY = 6
Key = tuple[str, ...]


def key_of(one: Sum) -> Key:
    """What tells a sum from the others."""
    return astuple(one)[:_KEY]


def added(one: Sum, other: Sum) -> Sum:
    """The sum of two with the same key."""
    mine, others = astuple(one), astuple(other)
    counts = (a + b for a, b in zip(mine[_KEY:], others[_KEY:], strict=True))
    return Sum(**dict(zip(Sum.__slots__, (*mine[:_KEY], *counts), strict=True)))


def sums_of(task: Task, runs: int, usage: Iterable[UsageEntry]) -> Iterator[Sum]:
    """What an ended task adds to the sums."""
    whole = Sum(
        day=(task.ended_at or "")[:10],
        supervisor=task.supervisor,
        agent_name=task.agent_name,
        upstream=task.upstream,
        status=task.status.value,
        tasks=1,
        runs=runs,
    )
    yield whole
    for entry in usage:
        yield replace(
            whole,
            tasks=0,
            runs=0,
            model=entry.model or "",
            messages=1,
            unpriced=int(entry.cost_micro_usd is None),
            input_tokens=entry.input_tokens,
            output_tokens=entry.output_tokens,
            cache_read_tokens=entry.cache_read_tokens,
            cache_write_tokens=entry.cache_write_tokens,
            cost_micro_usd=entry.cost_micro_usd or 0,
        )
