"""What of a thread's messages is not on record as it is now."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ..core.model import TaskRecord, UsageEntry, timestamp
from ..core.usage import Reading, readings

Cost = Callable[[Reading, datetime], int | None]
"""Micro-USD, or None where no price is known. Called in a worker thread."""


def news(
    messages: Sequence[Any],
    record: TaskRecord,
    run_id: str,
    *,
    moment: datetime,
    cost: Cost,
) -> list[UsageEntry]:
    """The messages that are not on record as they are now, priced."""
    known = {entry.message_id: entry for entry in record.usage}
    found = []
    for reading in readings(messages):
        earlier = known.get(reading.message_id)
        if earlier is None or not _same(earlier, reading):
            entry = UsageEntry(
                task_id=record.task.task_id,
                message_id=reading.message_id,
                run_id=run_id,
                at=timestamp(moment),
                model=reading.model,
                input_tokens=reading.input_tokens,
                output_tokens=reading.output_tokens,
                cache_read_tokens=reading.cache_read_tokens,
                cache_write_tokens=reading.cache_write_tokens,
                cost_micro_usd=cost(reading, moment),
            )
            found.append(entry)
    return found


def _same(entry: UsageEntry, reading: Reading) -> bool:
    """Whether the record says what the message says, and what it cost."""
    return entry.cost_micro_usd is not None and (
        entry.model,
        entry.input_tokens,
        entry.output_tokens,
        entry.cache_read_tokens,
        entry.cache_write_tokens,
    ) == (
        reading.model,
        reading.input_tokens,
        reading.output_tokens,
        reading.cache_read_tokens,
        reading.cache_write_tokens,
    )


def unread(record: TaskRecord) -> bool:
    """Whether it is not known for good what the runs of an ended task used."""
    return not record.task.live and any(run.ended and not run.settled for run in record.runs)
