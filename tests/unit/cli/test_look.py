"""What the output can show."""

import io
import sys

import pytest

from subagentctl.look import Look, look_of_stdout


class Stdout(io.TextIOWrapper):
    """A stdout that may claim to be a terminal."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "color", "redraws"),
    [
        (True, {}, True, True),
        (True, {"NO_COLOR": "1"}, False, True),
        (True, {"NO_COLOR": ""}, True, True),
        (True, {"TERM": "dumb"}, False, False),
        (False, {}, False, False),
        (False, {"TERM": "xterm-256color"}, False, False),
    ],
)
def test_colour_is_for_terminals_whose_users_want_it(
    terminal: bool,
    environ: dict[str, str],
    color: bool,
    redraws: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Stdout(terminal=terminal))
    look = look_of_stdout(environ)
    assert (look.color, look.redraws) == (color, redraws)


@pytest.mark.parametrize(("columns", "width"), [("", None), ("77", 77), ("wide", None)])
def test_a_pipe_has_no_width_unless_columns_says_so(
    columns: str, width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", Stdout(terminal=False))
    assert look_of_stdout().width == width


@pytest.mark.parametrize(
    ("encoding", "unicode"), [("utf-8", True), ("UTF8", True), ("ascii", False), ("latin-1", False)]
)
def test_only_utf_encodings_get_more_than_ascii(
    encoding: str, unicode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Stdout(terminal=False, encoding=encoding))
    assert look_of_stdout({}).unicode is unicode


def test_nothing_is_painted_without_colour_or_in_an_unknown_style() -> None:
    assert Look(color=False).paint("x", "error") == "x"
    assert Look(color=True).paint("x", "no such style") == "x"
    assert Look(color=True).paint("x", "error") == "\x1b[31mx\x1b[0m"
