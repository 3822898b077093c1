"""Columns that fit a width."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subagentctl.look import Look
from subagentctl.table import Column, cell, fit, table
from subagentctl.text import width

COLUMNS = (
    Column(title="ID"),
    Column(title="AGENT", cap=10, least=6, yields=2),
    Column(title="SESSION", cap=12, least=8, yields=1, drops=2, is_id=True),
    Column(title="USAGE", drops=1),
    Column(title="PURPOSE", least=5, ease=9, drops=3, stretches=True),
)
NATURAL = (8, 14, 20, 6, 40)


@pytest.mark.parametrize(
    ("available", "widths", "because"),
    [
        (None, [8, 14, 20, 6, 40], "nothing needs to be cut"),
        (200, [8, 10, 12, 6, 40], "caps hold, the rest is as wide as it is"),
        (84, [8, 10, 12, 6, 40], "exactly enough"),
        (83, [8, 10, 12, 6, 39], "the stretching one gives first"),
        (53, [8, 10, 12, 6, 9], "down to where it is at ease"),
        (52, [8, 10, 11, 6, 9], "then the first to yield"),
        (48, [8, 9, 8, 6, 9], "then the second"),
        (44, [8, 6, 8, 6, 8], "then the stretching one again"),
        (41, [8, 6, 8, 6, 5], "down to the least"),
        (40, [8, 9, 8, 0, 9], "then the first to drop, and the others recover"),
        (33, [8, 6, 8, 0, 5], "which may not last"),
        (32, [8, 10, 0, 0, 10], "then the second"),
        (22, [8, 10, 0, 0, 0], "then the third"),
        (5, [8, 6, 0, 0, 0], "what stays may still be too much"),
    ],
)
def test_columns_shrink_then_drop_in_their_order(
    available: int | None, widths: Sequence[int], because: str
) -> None:
    assert fit(COLUMNS, NATURAL, available) == widths, because


def test_lines_are_aligned_and_trail_no_spaces() -> None:
    columns = (Column(title="A"), Column(title="N", right=True), Column(title="B"))
    rows = [[cell("xyz"), cell("7"), cell("")], [cell("北"), cell("12"), cell("end")]]
    assert table(columns, rows, Look()) == ["A     N  B", "xyz   7", "北   12  end"]


def test_paint_stays_off_the_padding() -> None:
    columns = (Column(title=""), Column(title="B"))
    rows = [[cell("error", "error"), cell("b")], [cell("success", "success"), cell("b")]]
    lines = table(columns, rows, Look(color=True))
    assert lines[1] == "\x1b[31merror\x1b[0m    b"
    assert lines[2] == "\x1b[32msuccess\x1b[0m  b"


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy: how long an example takes says nothing about it."""

any_text = st.text(st.characters(exclude_categories=()))


@patient
@given(
    st.lists(st.lists(any_text, min_size=5, max_size=5), max_size=5),
    st.integers(1, 120),
    st.booleans(),
)
def test_no_line_is_wider_than_asked_or_holds_a_control_character(  # row 26
    texts: list[list[str]], columns: int, unicode: bool
) -> None:
    rows = [[cell(text) for text in row] for row in texts]
    for line in table(COLUMNS, rows, Look(width=columns, unicode=unicode)):
        assert line.isprintable()
        assert width(line) <= columns
