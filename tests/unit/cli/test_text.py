"""Text from elsewhere on one line of a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagentctl.text import clean, cut, cut_middle, pad, width, wrap

any_text = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("bell\x07 del\x7f c1\x9b", "bell\ufffd del\ufffd c1\ufffd"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("heart \u2764\ufe0f", "heart \u2764"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("line\u2028separator\u3000wide", "line separator wide"),
        ("北京 é 🦀", "北京 é 🦀"),
    ],
)
def test_no_character_is_left_that_a_terminal_obeys_or_hides(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@given(any_text)
def test_cleaned_text_is_printable_whatever_came_in(raw: str) -> None:  # row 26
    assert clean(raw).isprintable()


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("北京", 4), ("e\u0301", 1), ("🦀", 2), ("\uac01", 2)],
)
def test_width_counts_terminal_columns_not_characters(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("exactly", 7, "exactly"),
        ("exactly", 6, "exact…"),
        ("北京天気", 8, "北京天気"),
        ("北京天気", 7, "北京天…"),
        ("北京天気", 6, "北京…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_the_end_is_cut_off_at_the_last_column_that_fits(
    text: str, columns: int, shown: str
) -> None:
    assert cut(text, columns) == shown


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (36, "01a2064f-5864-7545-89d1-a55134a759fd"),
        (18, "01a2064f-…34a759fd"),
        (9, "…34a759fd"),
        (5, "…59fd"),
        (1, "…"),
    ],
)
def test_an_id_keeps_its_end_since_heads_of_new_ids_are_alike(columns: int, shown: str) -> None:
    assert cut_middle("01a2064f-5864-7545-89d1-a55134a759fd", columns) == shown


@given(any_text.map(clean), st.integers(0, 40), st.sampled_from(["…", "..."]))
def test_what_is_cut_never_takes_more_columns_than_there_are(
    text: str, columns: int, ellipsis: str
) -> None:
    assert width(cut(text, columns, ellipsis)) <= columns
    assert width(cut_middle(text, columns, ellipsis)) <= columns


def test_padding_fills_columns_on_the_side_asked_for() -> None:
    assert pad("北", 4) + "|" == "北  |"
    assert pad("7", 3, right=True) == "  7"


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("", 5, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("abcdefgh ij", 4, ["abcd", "efgh", "ij"]),
        ("no abcdefgh", 4, ["no", "abcd", "efgh"]),
        ("北京天気", 5, ["北京", "天気"]),
        ("北", 1, ["北"]),
    ],
)
def test_lines_break_at_spaces_and_in_a_word_only_when_they_must(
    text: str, columns: int, lines: list[str]
) -> None:
    assert wrap(text, columns) == lines


@given(any_text.map(clean), st.integers(2, 40))
def test_wrapping_loses_no_letter_and_fits(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line) <= columns for line in lines)
