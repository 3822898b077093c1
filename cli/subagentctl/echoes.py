"""What a story need not say twice: of a run what the next line says of its task, and reasons."""

from collections.abc import Sequence
from typing import TypeVar, cast

from subagentctl import fields
from subagentctl.fields import Record, nested

R = TypeVar("R", bound=Record)

_MOST_REASONS = 1_000


class Reasons:
    """Lets every reason of a cancel be said once: with whoever asked for it, and not again with
    the end that it led to."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], str] = {}

    def once(self, event: R) -> R:
        """The event, without its reason where that was said before."""
        kind, reason = fields.text(event, "kind"), fields.text(nested(event, "detail"), "reason")
        run = fields.text(event, "task_id"), fields.text(event, "run_id")
        if kind == "cancel_asked" and reason:
            self._told[run] = reason
            if len(self._told) > _MOST_REASONS:
                del self._told[next(iter(self._told))]
        elif kind == "ended" and reason and self._told.pop(run, None) == reason:
            detail = {k: v for k, v in nested(event, "detail").items() if k != "reason"}
            return cast(R, {**event, "detail": detail})
        return event


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
