"""What a story need not say twice: of a run what the next line says of its task, and reasons."""

from collections.abc import Sequence
from typing import TypeVar, cast

from subagentctl import fields
from subagentctl.fields import Record, nested

R = TypeVar("R", bound=Record)
K = TypeVar("K")
V = TypeVar("V")

_MOST_REASONS = 1_000


class Reasons:
    """Lets every reason of a cancel be said once: with whoever asked for it, and not again with
    the end that it led to. Of a task that is reaped the evidence is the reason."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], str] = {}
        self._reaped: dict[str, None] = {}

    def once(self, event: R) -> R:
        """The event, without its reason where that was said before."""
        kind, reason = fields.text(event, "kind"), fields.text(nested(event, "detail"), "reason")
        task_id, run_id = fields.text(event, "task_id"), fields.text(event, "run_id")
        if kind == "reaped":
            _remember(self._reaped, task_id, None)
        if not reason or kind not in ("cancel_asked", "ended"):
            return event
        reaper = fields.text(nested(event, "detail"), "by") == "reaper"
        if reaper and task_id in self._reaped:
            return _without_reason(event)
        if kind == "cancel_asked":
            _remember(self._told, (task_id, run_id), reason)
        elif self._told.pop((task_id, run_id), None) == reason:
            return _without_reason(event)
        return event


def _remember(told: dict[K, V], key: K, value: V) -> None:
    told[key] = value
    if len(told) > _MOST_REASONS:
        del told[next(iter(told))]


def _without_reason(event: R) -> R:
    detail = {key: value for key, value in nested(event, "detail").items() if key != "reason"}
    return cast(R, {**event, "detail": detail})


def without_echoes(events: Sequence[R]) -> list[R]:
    """Events without those that say of a run what the next line says of its task."""
    told_of_tasks = {
        (event.get("at"), event.get("run_id"))
        for event in events
        if event.get("kind") in ("status", "ended")
    }
    return [
        event
        for event in events
        if event.get("kind") != "run_status"
        or event.get("at") is None
        or (event.get("at"), event.get("run_id")) not in told_of_tasks
    ]
