"""Moments and spans."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagentctl.testing import NOW
from subagentctl.when import age, parse_moment, parse_since, span, stamp, to_wire


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86399, "23h"),
        (86400, "1d"),
        (86400 * 400, "400d"),
    ],
)
def test_an_age_is_one_number_and_one_unit(seconds: float, shown: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == shown


def test_an_unknown_moment_has_no_age() -> None:
    assert age(None, NOW) == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0.0s"),
        (0.94, "0.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m 0s"),
        (192, "3m 12s"),
        (3600, "1h 0m"),
        (7500, "2h 5m"),
        (349200, "4d 1h"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        (" 2H ", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_since_takes_spans_back_from_now(text: str, back: timedelta) -> None:
    assert parse_since(text, NOW) == NOW - back


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T02:49:52Z", datetime(2026, 11, 23, 2, 49, 52, tzinfo=UTC)),
        ("2026-11-23T04:49:52+02:00", datetime(2026, 11, 23, 2, 49, 52, tzinfo=UTC)),
        ("2026-11-23T02:49:52", datetime(2026, 11, 23, 2, 49, 52, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_since_takes_moments_and_reads_them_as_utc(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "m", "30", "30 minutes", "-5m", "1.5h", "9" * 30 + "d", "0001-01-01T00:00+14:00"]
)
def test_since_that_makes_no_sense_is_said_to(text: str) -> None:
    with pytest.raises(ValueError, match=r"is neither|further back"):
        parse_since(text, NOW)


@given(st.text())
def test_since_takes_or_refuses_any_text(text: str) -> None:
    try:
        assert parse_since(text, NOW).tzinfo is UTC
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize("value", [None, 7, "", "soon", [], "0001-01-01T00:00+14:00"])
def test_what_is_no_moment_is_none(value: object) -> None:
    assert parse_moment(value) is None


def test_moments_go_out_with_a_z_and_read_as_utc() -> None:
    assert to_wire(NOW) == "2026-11-23T03:00:00Z"
    assert stamp(NOW) == "2026-11-23 03:00:00 UTC"
