"""A tree of tasks, page by page."""

from dataclasses import dataclass

from .model import TaskRecord, Timestamp

MOMENTS = frozenset(
    {"updated", "ended", "start_failed", "in_doubt", "adopted", "thread_deleted"}
    | {"cancel_asked", "cancel_confirmed", "cancel_unconfirmed", "cancel_too_late"}
    | {"reaped", "abandoned", "would_reap"}
)
"""The events of a task that its tree is told with. What its runs did stands with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePage:
    """Tasks, oldest first, so that a parent comes before what it started. `total` counts those of
    all pages; `next_after` continues it."""

    records: tuple[TaskRecord, ...]
    total: int
    next_after: tuple[Timestamp, str] | None = None
