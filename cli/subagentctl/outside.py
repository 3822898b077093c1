"""Everything `subagentctl` takes from the machine it runs on, in one place to put a fake in."""

import io
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import click

from subagentctl.errors import Failed
from subagentctl.look import Look, look_of_stdout


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)  # noqa: TID251  # this function is the clock that all else is given


def ask_on_terminal(question: str) -> bool | None:
    """Yes or no, from whoever sits there; None where nobody does."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    return click.confirm(question, err=True)


def is_terminal(stream: Literal["stdout", "stderr"]) -> bool:
    """Whether what is written there is seen at once, by somebody who waits for it."""
    opened = sys.stdout if stream == "stdout" else sys.stderr
    return opened is not None and opened.isatty()


@dataclass(frozen=True, slots=True)
class Outside:
    """The clock, the pause between two looks, what the output can show, and who is there to read
    and to be asked."""

    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep
    look: Callable[[], Look] = look_of_stdout
    ask: Callable[[str], bool | None] = ask_on_terminal
    is_terminal: Callable[[Literal["stdout", "stderr"]], bool] = is_terminal


def emit(text: str) -> None:
    """Write to stdout at once. What its encoding cannot say becomes `?`.

    A reader that left (`| head`) is let pass as BrokenPipeError; a full disk raises Failed.
    """
    encoding = sys.stdout.encoding or "utf-8"
    safe = text.encode(encoding, "replace").decode(encoding)
    try:
        # The text is painted only where colour is wanted, so click has nothing to strip.
        click.echo(safe, nl=False, color=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        forsake_stdout()
        raise Failed(f"the output could not be written ({error.strerror}).") from error


def forsake_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush fails on nobody."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, io.UnsupportedOperation):
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
