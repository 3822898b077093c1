"""A delivery: one end of a task that is to be told to one target; and when it is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ..model import Timestamp, timestamp

GIVEN_UP_AFTER = timedelta(hours=24)
_FIRST, _LONGEST = timedelta(seconds=5), timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`seq` and `at` are those of the event. `attempts` counts those that were begun; before
    `next_at` nobody begins another."""

    target: str
    seq: int
    at: Timestamp
    status: str
    task_id: str
    run_id: str | None
    next_at: Timestamp
    attempts: int = 0

    @property
    def id(self) -> str:
        """The same at every attempt, and of nothing else that was ever told."""
        return f"{self.task_id}.{self.seq}"


class Outcome(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"
    """It is tried again, unless it is too old."""
    GONE = "gone"


def outcome(status: int | None) -> Outcome:
    """What a receiver's answer comes to; None: there was none. A redirect is not followed: where it
    leads nobody has allowed."""
    if status is not None and 200 <= status < 300:
        return Outcome.DELIVERED
    return Outcome.GONE if status == 410 else Outcome.FAILED


def again_at(
    delivery: Delivery, now: datetime, *, chance: float, asked: timedelta = timedelta(0)
) -> Timestamp | None:
    """When to try again after the last attempt failed; None: never.

    5 seconds, doubled each time up to an hour, of which `chance` (0 to 1) takes off up to a half,
    so that what failed together does not come back together. `asked` is the receiver's own word,
    which may make it later, within the hour.
    """
    doublings = min(delivery.attempts - 1, 10)
    pause = min(_FIRST * 2**doublings, _LONGEST) * (1 - chance / 2)
    then = now + max(pause, min(asked, _LONGEST))
    return None if is_too_old(delivery.at, then) else timestamp(then)


def is_too_old(at: Timestamp, now: datetime) -> bool:
    """Whether what happened at `at` is not told any more."""
    return now - datetime.fromisoformat(at) > GIVEN_UP_AFTER
