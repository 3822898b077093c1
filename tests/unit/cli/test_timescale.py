"""Time on a line of text."""

from datetime import timedelta

import pytest

from subagentctl.testing import NOW
from subagentctl.timescale import mark, scale

MINUTE = timedelta(minutes=1)


def test_moments_stand_where_they_belong_and_others_at_the_edges() -> None:
    on = scale(NOW, NOW + 10 * MINUTE, 20)
    at = [NOW - MINUTE, NOW, NOW + 5 * MINUTE, NOW + 10 * MINUTE, NOW + 99 * MINUTE]
    assert [on.column(moment) for moment in at] == [0, 0, 10, 19, 19]


@pytest.mark.parametrize(
    ("begin", "end", "columns"),
    [
        (0, 10, range(20)),
        (0, 0, range(1)),
        (5, 5, range(10, 11)),
        (0, 5, range(10)),
        (4.9, 5.1, range(9, 11)),
        (10, 10, range(19, 20)),
        (9, 99, range(18, 20)),
    ],
)
def test_a_stretch_has_every_column_that_holds_any_of_it(
    begin: float, end: float, columns: range
) -> None:
    on = scale(NOW, NOW + 10 * MINUTE, 20)
    assert on.stretch(NOW + begin * MINUTE, NOW + end * MINUTE) == columns


@pytest.mark.parametrize(
    ("seconds", "columns", "axis"),
    [
        (600, 40, "0s      2m      4m      6m      8m"),
        (2, 30, "0s      0.5s   1s     1.5s"),
        (5_400, 40, "0s     15m   30m    45m    1h    1h 15m"),
        (7 * 86_400, 40, "0s    1d   2d    3d    4d    5d   6d"),
        (3 * 10**9, 40, "0s"),
        (600, 3, "0s"),
        (600, 1, ""),
        (0, 20, "0s"),
    ],
)
def test_the_axis_has_as_many_marks_as_can_be_read(seconds: int, columns: int, axis: str) -> None:
    assert scale(NOW, NOW + timedelta(seconds=seconds), columns).axis() == axis


@pytest.mark.parametrize("columns", [1, 2, 7, 28, 80, 300])
@pytest.mark.parametrize("seconds", [0, 0.3, 1, 59, 61, 3_599, 86_399, 10**6, 3 * 10**9])
def test_no_axis_is_wider_than_it_may_be(seconds: float, columns: int) -> None:
    axis = scale(NOW, NOW + timedelta(seconds=seconds), columns).axis()
    assert len(axis) <= columns
    assert axis.startswith("0s") is (columns > 1)


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(0, "0s"), (0.5, "0.5s"), (30, "30s"), (120, "2m"), (90, "1m 30s"), (5_400, "1h 30m")],
)
def test_a_mark_is_without_what_is_nothing(seconds: float, word: str) -> None:
    assert mark(seconds) == word
