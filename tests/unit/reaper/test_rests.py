"""How often there are sweeps (reaper.rests)."""

import pytest

from subagent_sidecar.reaper.rests import company_s, rest_s


@pytest.mark.parametrize(
    ("took_s", "live", "expected"),
    [
        (0.01, 0, 5.0),
        (0.10, 5_000, 5.0),
        (0.20, 10_000, 10.0),
        (2.00, 100_000, 100.0),
        (3.00, 100, 27.0),  # a slow machine, or one with other things to do
    ],
)
def test_many_live_tasks_make_sweeps_rarer(took_s: float, live: int, expected: float) -> None:
    assert rest_s(5.0, took_s=took_s, live=live) == expected


@pytest.mark.parametrize(("live", "expected"), [(0, 0.1), (1_000, 0.1), (25_000, 2.5)])
def test_what_calls_for_a_sweep_waits_for_company(live: int, expected: float) -> None:
    assert company_s(live) == expected
