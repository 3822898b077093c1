"""How `subagentctl` ends when it does not end well.

    CliError
    |-- Failed        1  the sidecar answered, and the answer is no
    |   `-- Denied    1  to whoever asks, and will be until another token is sent
    |-- Misused       2  the command line (or its environment) makes no sense
    |-- Unreachable   3  no sidecar there: nothing answers, or something that is not one
    |-- NotFound      4  the sidecar knows no such thing
    `-- Invalid      64  a policy file has mistakes, whoever has read it

Each is shown as one sentence on stderr that says what, where and what to do about it; Invalid as
one for each mistake.
"""

from collections.abc import Sequence
from typing import IO, Any, ClassVar

import click

from subagentctl.text import clean


class CliError(click.ClickException):
    """Base of all; click shows it and exits with `exit_code`."""

    exit_code: ClassVar[int] = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence to stderr: parts of it may come from the network, so cleaned."""
        click.echo(f"subagentctl: {clean(self.message)}", file=file, err=True)


class Failed(CliError):
    exit_code: ClassVar[int] = 1


class Denied(Failed):
    """Asking again is in vain."""


class Misused(CliError):
    exit_code: ClassVar[int] = 2


class Unreachable(CliError):
    """`in_doubt`: what was asked for may have been done all the same."""

    exit_code: ClassVar[int] = 3
    in_doubt: bool = False


class NotFound(CliError):
    exit_code: ClassVar[int] = 4


class Invalid(CliError):
    exit_code: ClassVar[int] = 64

    """`problems` are one sentence each; `then` is what they come to, said last."""

    def __init__(self, problems: Sequence[str], then: str = "") -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.then = then

    def show(self, file: IO[Any] | None = None) -> None:
        for line in (*self.problems, *filter(None, [self.then])):
            click.echo(f"subagentctl: {clean(line)}", file=file, err=True)
