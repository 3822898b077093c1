"""When windows began, for all the questions of a start at once."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.core.test_decide import policy

from subagent_sidecar.core.asking import Asked
from subagent_sidecar.core.model import timestamp

NOW = datetime(2026, 1, 1, 12, 0, 59, 999_999, tzinfo=UTC)
MOMENTS = (
    NOW,
    NOW + timedelta(microseconds=1),  # the next second, and minute
    NOW - timedelta(seconds=30),  # somebody asks about another time
    NOW + timedelta(microseconds=2),
)


@pytest.mark.parametrize("fraction", [timedelta(), timedelta(milliseconds=250)])
def test_windows_begin_as_long_before_as_they_are_long(fraction: timedelta) -> None:
    rules = ["name: a, starts: 1, per: session, window: 1m", "name: b, starts: 1, per: session"]
    if fraction:
        rules.append("name: c, starts: 1, per: session, window: 250ms")
    asked = Asked(policy("limits", *rules).limits, ())
    for now in MOMENTS:
        begun = asked.beginnings(now)
        found = {limit.window: begun[place] for limit, _, _, place in asked.limits}
        assert found.pop(None) is None
        assert len(found) == len(rules) - 1
        for window, at in found.items():
            assert window is not None and at == timestamp(now - window)
