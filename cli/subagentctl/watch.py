"""`--watch`: the same picture again and again, until Ctrl-C, through whatever befalls the sidecar.

On a terminal each picture is drawn over the last one, in one write, on the alternate screen; the
last one stays on the normal screen when it ends. On a pipe each picture follows the last one.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from shutil import get_terminal_size
from types import FrameType
from typing import NoReturn, Protocol

import click

from subagentctl.app import App
from subagentctl.errors import CliError, Denied, Misused
from subagentctl.look import Look
from subagentctl.outside import Outside, emit
from subagentctl.text import clean, cut
from subagentctl.when import stamp

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_TOP, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
# Terminals that know it show nothing of a picture before all of it is there; others ignore it.
_HOLD, _SHOW = "\x1b[?2026h", "\x1b[?2026l"


class Screen(Protocol):
    """Where pictures go."""

    def look(self) -> Look:
        """What the next picture may use."""

    def opened(self) -> AbstractContextManager[None]:
        """Pictures are shown inside of this."""

    def show(self, picture: str) -> None:
        """Show one picture, its lines ended by newlines."""

    def trouble(self, problem: str) -> None:
        """Say that there is nothing new to show, and why. Called at every failed attempt."""


def watch(draw: Callable[[Look], str], screen: Screen, outside: Outside, interval: float) -> None:
    """Show `draw` every `interval` seconds until interrupted.

    Only the very first attempt may fail: a wrong `--server` is better said than watched. And a
    token that is good no more is, too: Denied.
    """
    try:
        picture = draw(screen.look())
        with screen.opened():
            while True:
                screen.show(picture)
                picture = _next(draw, screen, outside, interval)
    except KeyboardInterrupt:
        return


def _next(draw: Callable[[Look], str], screen: Screen, outside: Outside, interval: float) -> str:
    while True:
        outside.sleep(interval)
        try:
            return draw(screen.look())
        except Denied:
            raise
        except CliError as error:
            screen.trouble(clean(error.message))


class Pipe:
    """Pictures one after the other, `separator` between them; troubles on stderr, once each."""

    def __init__(self, outside: Outside, *, separator: str = "\n") -> None:
        self._outside = outside
        self._separator = separator
        self._before = ""
        self._last_trouble = ""

    def look(self) -> Look:
        return self._outside.look()

    @contextmanager
    def opened(self) -> Iterator[None]:
        yield

    def show(self, picture: str) -> None:
        emit(self._before + picture)
        self._before = self._separator
        self._last_trouble = ""

    def trouble(self, problem: str) -> None:
        if problem != self._last_trouble:
            click.echo(f"subagentctl: {problem}", err=True)
        self._last_trouble = problem


class Terminal:
    """One picture over the other, under a line that says what is watched and since when."""

    def __init__(self, outside: Outside, title: str) -> None:
        self._outside = outside
        self._title = title
        self._picture = ""
        self._shown_at = outside.now()

    def look(self) -> Look:
        """One column less than there is: the last one makes some terminals wrap."""
        look = self._outside.look()
        return replace(look, width=max(1, (look.width or 80) - 1))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The alternate screen, left again however it ends; then the last picture, to keep."""
        before = signal.signal(signal.SIGTERM, _leave)
        emit(_ENTER)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
            emit(_LEAVE + self._picture)

    def show(self, picture: str) -> None:
        self._picture = picture
        self._shown_at = self._outside.now()
        self._draw([self._line(f"{self._title}  {stamp(self._shown_at)}", "head")])

    def trouble(self, problem: str) -> None:
        stale = f"Below is what was known at {stamp(self._shown_at)}. Trying again."
        self._draw([self._line(problem, "alarm"), self._line(stale, "alarm")])

    def _line(self, text: str, style: str) -> str:
        look = self.look()
        return look.paint(cut(text, look.width or 80, look.ellipsis), style)

    def _draw(self, head: Sequence[str]) -> None:
        height = get_terminal_size().lines
        lines = fit_height([*head, "", *self._picture.splitlines()], height, self.look())
        body = "\n".join(f"{line}{_REST_OF_LINE}" for line in lines)
        emit(f"{_HOLD}{_TOP}{body}{_REST_OF_SCREEN}{_SHOW}")


def screen(app: App, interval: float) -> Screen:
    """Where the pictures of a command go. Raises Misused where none can be shown."""
    if app.output == "csv":
        raise Misused("--watch shows a table or, with -o json, one document a line; not csv.")
    if app.output == "json":
        return Pipe(app.outside, separator="")
    if app.outside.look().redraws:
        return Terminal(app.outside, f"{app.server}  every {interval:g} s, Ctrl-C ends")
    return Pipe(app.outside)


def fit_height(lines: list[str], height: int, look: Look) -> list[str]:
    """At most `height` lines: rows go from the end, the footer (the last two lines) stays."""
    if len(lines) <= height:
        return lines
    gone = len(lines) - height + 1
    note = look.paint(f"{look.ellipsis} {gone} lines more than fit", "dim")
    if height < 6:
        return lines[:height]
    return [*lines[: height - 3], note, *lines[-2:]]


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End like one ended by the signal, but by way of every `finally`."""
    sys.exit(128 + number)
