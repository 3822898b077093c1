"""When a delivery is tried again, and when no more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from subagent_sidecar.core.model import timestamp
from subagent_sidecar.core.push.deliveries import Delivery, Outcome, again_at, outcome

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FRESH = Delivery(
    target="ops",
    seq=7,
    at=timestamp(BEGIN),
    status="success",
    task_id="t",
    run_id="r",
    next_at=timestamp(BEGIN),
    attempts=1,
)


def pause(attempts: int, *, chance: float = 0.0, asked: float = 0.0) -> float:
    """In seconds, after so many attempts."""
    again = again_at(
        replace(FRESH, attempts=attempts), BEGIN, chance=chance, asked=timedelta(seconds=asked)
    )
    assert again is not None
    return (datetime.fromisoformat(again) - BEGIN).total_seconds()


def test_pauses_double_up_to_an_hour() -> None:
    assert [pause(attempts) for attempts in (1, 2, 3, 10, 11, 500)] == [5, 10, 20, 2560, 3600, 3600]


def test_chance_takes_off_up_to_a_half() -> None:
    assert (pause(3, chance=0.5), pause(3, chance=1.0)) == (15, 10)


def test_a_receiver_may_ask_for_more_patience_but_not_for_more_than_an_hour() -> None:
    assert (pause(1, asked=90), pause(4, asked=1), pause(1, asked=1e6)) == (90, 40, 3600)


def test_it_is_given_up_a_day_after_the_end() -> None:
    late = BEGIN + timedelta(hours=23, minutes=59)
    assert again_at(replace(FRESH, attempts=1), late, chance=0.0) is not None
    assert again_at(replace(FRESH, attempts=11), late, chance=0.0) is None


@pytest.mark.parametrize(
    ("status", "comes_to"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (302, Outcome.FAILED),
        (400, Outcome.FAILED),
        (410, Outcome.GONE),
        (429, Outcome.FAILED),
        (500, Outcome.FAILED),
        (None, Outcome.FAILED),
    ],
)
def test_only_a_success_is_one_and_only_gone_is_final(status: int, comes_to: Outcome) -> None:
    assert outcome(status) is comes_to


def test_the_id_stays_from_attempt_to_attempt() -> None:
    assert replace(FRESH, attempts=9, next_at="later").id == FRESH.id == "t.7"
