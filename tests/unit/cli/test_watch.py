"""The loop of `--watch`, and the pictures it makes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from subagentctl.errors import Unreachable
from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW
from subagentctl.watch import Pipe, Terminal, fit_height, watch


def interrupted_after(pauses: int) -> tuple[Callable[[float], None], list[float]]:
    """A pause that does not wait, and presses Ctrl-C instead of the last time."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == pauses:
            raise KeyboardInterrupt

    return sleep, slept


class Recorder:
    """A screen that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def look(self) -> Look:
        return Look()

    @contextmanager
    def opened(self) -> Iterator[None]:
        self.told.append("opened")
        try:
            yield
        finally:
            self.told.append("closed")

    def show(self, picture: str) -> None:
        self.told.append(picture)

    def trouble(self, problem: str) -> None:
        self.told.append(f"trouble: {problem}")


def pictures(*outcomes: str | Exception) -> Callable[[Look], str]:
    left = iter(outcomes)

    def draw(look: Look) -> str:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return draw


def test_pictures_follow_one_another_until_the_interrupt() -> None:
    sleep, slept = interrupted_after(3)
    screen = Recorder()
    watch(pictures("a", "b", "c"), screen, Outside(sleep=sleep), 2.0)
    assert screen.told == ["opened", "a", "b", "c", "closed"]
    assert slept == [2.0, 2.0, 2.0]


def test_a_sidecar_that_goes_away_is_shown_and_the_watch_goes_on() -> None:
    sleep, _ = interrupted_after(4)
    screen = Recorder()
    draw = pictures("a", Unreachable("gone"), Unreachable("gone"), "b")
    watch(draw, screen, Outside(sleep=sleep), 2.0)
    assert screen.told == ["opened", "a", "trouble: gone", "trouble: gone", "b", "closed"]


def test_a_watch_that_cannot_begin_fails_before_the_screen_is_touched() -> None:
    screen = Recorder()
    with pytest.raises(Unreachable):
        watch(pictures(Unreachable("never there")), screen, Outside(), 2.0)
    assert screen.told == []


def test_an_interrupt_before_the_first_picture_is_quiet() -> None:
    def draw(look: Look) -> str:
        raise KeyboardInterrupt

    screen = Recorder()
    watch(draw, screen, Outside(), 2.0)
    assert screen.told == []


def test_on_a_pipe_pictures_are_parted_and_a_trouble_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipe = Pipe(Outside())
    with pipe.opened():
        pipe.show("a\n")
        pipe.trouble("gone")
        pipe.trouble("gone")
        pipe.show("b\n")
        pipe.trouble("gone")
    out, err = capsys.readouterr()
    assert out == "a\n\nb\n"
    assert err == "subagentctl: gone\n" * 2


def test_on_a_terminal_each_picture_is_one_write_over_the_last_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Terminal(Outside(now=lambda: NOW, look=lambda: Look(width=60)), "title")
    with terminal.opened():
        capsys.readouterr()
        terminal.show("row\n\n1 task.\n")
        drawn = capsys.readouterr().out
    assert "\x1b[2J" not in drawn, "clearing all of it first is what flickers"
    assert drawn == (
        "\x1b[?2026h\x1b[Htitle  2026-11-23 03:00:00 UTC\x1b[K\n\x1b[K\n"
        "row\x1b[K\n\x1b[K\n1 task.\x1b[K\x1b[J\x1b[?2026l"
    )
    assert capsys.readouterr().out == "\x1b[?25h\x1b[?1049lrow\n\n1 task.\n"


def test_on_a_terminal_a_trouble_stands_above_what_was_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Terminal(Outside(now=lambda: NOW, look=lambda: Look(width=70)), "title")
    terminal.show("row\n")
    capsys.readouterr()
    terminal.trouble("no sidecar answers at http://127.0.0.1:8461 (connection refused). Start")
    lines = capsys.readouterr().out.replace("\x1b[K", "").splitlines()
    assert lines[0].endswith("(connection refused). St…")
    assert lines[1] == "Below is what was known at 2026-11-23 03:00:00 UTC. Trying again."
    assert lines[3].startswith("row")


@pytest.mark.parametrize(
    ("height", "shown"),
    [
        (9, [*"abcdefg", "", "foot"]),
        (8, ["a", "b", "c", "d", "e", "… 2 lines more than fit", "", "foot"]),
        (6, ["a", "b", "c", "… 4 lines more than fit", "", "foot"]),
        (3, ["a", "b", "c"]),
    ],
)
def test_a_picture_too_high_loses_rows_and_keeps_its_footer(height: int, shown: list[str]) -> None:
    assert fit_height([*"abcdefg", "", "foot"], height, Look()) == shown
