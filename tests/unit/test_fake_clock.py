"""The clock of the package's test doubles."""

from datetime import UTC, datetime, timedelta

import pytest

from subagent_sidecar.ports import Clock
from subagent_sidecar.testing import FakeClock

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
