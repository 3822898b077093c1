"""The numbers of rules, as people read them."""

import pytest

from subagentctl.numbers import of_limit, usd


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.000000", "$0.00"),
        ("1.950000", "$1.95"),
        ("1234.500000", "$1,234.50"),
        ("0.012300", "$0.0123"),
        ("0.000001", "$0.000001"),
        ("2", "$2.00"),
        ("nonsense", "$nonsense.00"),
    ],
)
def test_money_has_its_cents_and_what_is_exact_beyond_them(text: str, expected: str) -> None:
    assert usd(text) == expected


@pytest.mark.parametrize(
    ("what", "current", "limit", "expected"),
    [
        ("concurrent", 3, 5, "3 of 5"),
        ("tokens", 1_234, 2_000_000, "1,234 of 2,000,000"),
        ("micro_usd", "1.950000", "2.000000", "$1.95 of $2.00"),
        ("run_time", 90.0, 3600.0, "1m 30s of 1h 0m"),
        ("deny", None, None, ""),
        ("frozen", 0, 0, ""),
        ("starts", "?", 5, "? of 5"),
    ],
)
def test_what_is_counted_is_told_with_its_limit(
    what: str, current: object, limit: object, expected: str
) -> None:
    assert of_limit(what, current, limit) == expected
