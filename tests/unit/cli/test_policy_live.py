"""What a running sidecar says of its policy, beyond the rules."""

from datetime import UTC, datetime

import pytest

from subagentctl.look import Look
from subagentctl.policy_live import state_lines

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lifecycle", "interval_s", "told"),
    [([{"name": "r"}], 0, True), ([{"name": "r"}], 5.0, False), ([], 0, False)],
)
def test_rules_that_nobody_acts_upon_are_told_as_such(
    lifecycle: list[object], interval_s: float, told: bool
) -> None:
    answer = {"policy": {"lifecycle": lifecycle}, "reap_interval_s": interval_s}
    lines = state_lines(answer, NOW, Look())
    assert any("ends nothing by itself" in line for line in lines) is told
