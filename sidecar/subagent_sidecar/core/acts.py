"""What people do by the admin plane, as it goes on record."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .model import Event, Timestamp


class ActOutcome(StrEnum):
    """What became of an act. REFUSED: as it was asked it cannot be done; DENIED: not by this token.
    CUT_SHORT: the sidecar stopped, and part of it may be done."""

    UNDER_WAY = "under_way"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    DENIED = "denied"
    CUT_SHORT = "cut_short"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminActed:
    """Somebody did something by the admin plane, or tried to `times` times. `address` is where it
    came from, `target` what it was about, in the words of the request; `task_id` the one task that
    this came to, if it did. `code` is that of the error."""

    act: str
    by: str
    role: str
    address: str
    asked_at: Timestamp
    outcome: ActOutcome
    at: Timestamp
    target: Mapping[str, Any]
    status: int | None = None
    code: str | None = None
    task_id: str | None = None
    times: int = 1


def event_of(change: AdminActed) -> Event:
    """How it stands in the record."""
    detail: dict[str, Any] = {
        "act": change.act,
        "by": change.by,
        "role": change.role,
        "from": change.address,
        "asked_at": change.asked_at,
        "target": dict(change.target),
        "outcome": change.outcome.value,
    }
    more = {"status": change.status, "code": change.code}
    detail |= {key: value for key, value in more.items() if value is not None}
    if change.times > 1:
        detail["times"] = change.times
    return Event(at=change.at, kind="admin_act", task_id=change.task_id, detail=detail)
