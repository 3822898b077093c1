"""Durations and sizes as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.core.units import duration, duration_text, size

DURATIONS: list[tuple[object, timedelta]] = [
    ("250ms", timedelta(milliseconds=250)),
    ("20s", timedelta(seconds=20)),
    ("1.5h", timedelta(minutes=90)),
    ("5 m", timedelta(minutes=5)),
    (" 2h ", timedelta(hours=2)),
    ("7d", timedelta(days=7)),
    ("2w", timedelta(weeks=2)),
    ("0s", timedelta()),
    ("0", timedelta()),
    (0, timedelta()),
]


@pytest.mark.parametrize(("text", "expected"), DURATIONS)
def test_a_duration(text: object, expected: timedelta) -> None:
    assert duration(text) == expected


NO_DURATIONS: list[object] = [
    "", "5", 5, 1.5, "s", "-5s", "5S", "5 minutes", "1h30m", "1e3s", "inf s", None, True, ["5s"],
    "9" * 400 + "s",
    "999999999999w",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_no_duration_is_told_the_form(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 250ms"):
        duration(text)


SIZES: list[tuple[object, int]] = [
    ("0", 0),
    ("17", 17),
    (17, 17),
    ("17B", 17),
    ("1KB", 1_000),
    ("1KiB", 1_024),
    ("1.5MiB", 1_572_864),
    ("2 MB", 2_000_000),
    ("300MiB", 314_572_800),
    ("1GB", 10**9),
    ("1GiB", 2**30),
]


@pytest.mark.parametrize(("text", "expected"), SIZES)
def test_a_size(text: object, expected: int) -> None:
    assert size(text) == expected


NO_SIZES: list[object] = [
    "", "-1", -1, "1kb", "1k", "1TB", "MiB", 1.5, None, True, ["1KB"], "9" * 400, "9" * 400 + "GiB",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size_is_told_the_form(text: object) -> None:
    with pytest.raises(ValueError, match="is not a size such as 64KiB"):
        size(text)


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_a_duration_grows_with_its_number(number: int, unit: str) -> None:
    assert duration(f"{number}{unit}") <= duration(f"{number + 1}{unit}")


@given(st.text())
def test_any_text_is_a_duration_and_a_size_or_a_value_error(text: str) -> None:
    for parse in (duration, size):
        try:
            parse(text)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(), "0"),
        (timedelta(milliseconds=250), "250ms"),
        (timedelta(microseconds=1500), "1.500ms"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=90), "90m"),
        (timedelta(hours=24), "1d"),
        (timedelta(days=7), "7d"),
        (timedelta(days=14), "2w"),
        (timedelta(days=15), "15d"),
    ],
)
def test_a_duration_is_said_in_the_largest_unit_that_leaves_it_whole(
    span: timedelta, text: str
) -> None:
    assert duration_text(span) == text
    assert duration(text) == span


@given(st.timedeltas(timedelta(), timedelta(days=3_650)))
def test_what_is_said_of_a_duration_is_read_as_the_same(span: timedelta) -> None:
    assert duration(duration_text(span)) == span
