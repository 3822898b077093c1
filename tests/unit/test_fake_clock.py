"""The clocks of the package's test doubles."""

from datetime import UTC, datetime, timedelta

import pytest

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.ports import Clock
from subagent_sidecar.testing import FakeClock, JumpingClock

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_fake_clock_stands_still_until_ticked() -> None:
    clock: Clock = FakeClock(NEW_YEAR)

    assert (clock.now(), clock.now()) == (NEW_YEAR, NEW_YEAR)
    assert clock.monotonic() == clock.monotonic()


def test_a_tick_moves_both_readings() -> None:
    clock = FakeClock(NEW_YEAR)
    before = clock.monotonic()
    clock.tick(90.5)

    assert clock.now() == NEW_YEAR + timedelta(seconds=90.5)
    assert clock.monotonic() == before + 90.5


def test_a_jump_moves_the_wall_clock_only() -> None:
    clock = FakeClock(NEW_YEAR)
    before = clock.monotonic()
    clock.jump(-7200)

    assert clock.now() == NEW_YEAR - timedelta(hours=2)
    assert clock.monotonic() == before


def test_time_does_not_tick_backwards() -> None:
    with pytest.raises(ValueError, match="jump"):
        FakeClock().tick(-1)


def test_a_jumping_clock_goes_with_the_machines() -> None:
    clock: Clock = JumpingClock()
    machine = SystemClock()
    before = machine.now()

    assert before <= clock.now() <= machine.now()


def test_a_jumping_clock_jumps_in_wall_time_only() -> None:
    clock = JumpingClock()
    wall, steady = clock.now(), clock.monotonic()
    clock.jump(-7200)

    assert clock.now() < wall - timedelta(hours=1)
    assert clock.monotonic() >= steady


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize("clock", [FakeClock(NEW_YEAR), JumpingClock(), SystemClock()])
def test_wall_time_is_the_same_in_microseconds(clock: Clock) -> None:
    if not isinstance(clock, SystemClock):
        clock.jump(-7200.000_001)  # type: ignore[attr-defined]
    for _ in range(1_000):  # no reading is rounded up, and so ahead of a later one
        before, told, after = clock.now(), clock.unix_us(), clock.now()
        assert microseconds(before) <= told <= microseconds(after)
