"""What every command shares: the options, the connection, the way output goes out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from subagentctl.client import TIMEOUT_S, Client
from subagentctl.errors import Misused
from subagentctl.outside import Outside
from subagentctl.server import Server, parse_server, parse_token, token_in
from subagentctl.trust import Trust
from subagentctl.when import parse_since, to_wire

FILE = click.Path(path_type=Path)
_TOKENS = ("token", "token_file")
OUTPUTS = ("table", "json", "csv")
EXIT_CODES = """\b
Exit codes:
  0  ok
  1  the thing failed
  2  usage
  3  sidecar unreachable
  4  not found
  64 a policy file has mistakes
"""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class App:
    """The shared options as they stand once the command's own have been read, too."""

    outside: Outside
    server: Server
    token: str | None
    output: str
    trust: Trust = field(default_factory=Trust)
    token_file: Path | None = None

    def client(self, *, timeout: float = TIMEOUT_S) -> Client:
        """A new connection; use it as a context manager. Raises Misused."""
        token = self.token
        if token is None and self.token_file is not None:
            token = token_in(self.token_file)
        return Client(self.server, token, timeout=timeout, trust=self.trust)

    def take(self, option: str, value: Any) -> None:
        """What stands behind a command is stronger than what stands before it."""
        if option in _TOKENS:
            self.token = self.token_file = None
        setattr(self, option, value)


def parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """An option's callback, made of a function that raises ValueError with the reason."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return callback


class EachOnce(click.Command):
    """A command whose options take one value each, and say so when they are given two. click itself
    keeps the last one, and whoever asked for both would not know."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        single = [p for p in given if isinstance(p, click.Option) and not (p.multiple or p.is_flag)]
        for option in single:
            if single.count(option) > 1:
                raise click.UsageError(f"{option.opts[0]} is given twice; it takes one value.", ctx)
        return super().parse_args(ctx, args)


def shared_options(command: F) -> F:
    """Let `--server`, the tokens and `-o` stand behind the command's name as well as before it."""
    again = partial(click.option, expose_value=False, help="As before the command.")
    for option in (
        again("--token-file", metavar="FILE", type=FILE, callback=_override(Path)),
        again("-o", "--output", type=click.Choice(OUTPUTS), callback=_override(str)),
        again("--token", metavar="TEXT", callback=_override(parse_token)),
        again("--server", metavar="URL", callback=_override(parse_server)),
    ):
        command = option(command)
    return command


def _override(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Set what the group had read for the option of the same name."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        app = ctx.find_object(App)
        if value is not None and app is not None and param.name is not None:
            app.take(param.name, parsed(parse)(ctx, param, value))

    return callback


WATCH_INTERVAL_S = 2.0


def watch_options(command: F) -> F:
    """`--watch` and its `--interval`, which commands get as `watched`, and as seconds or None."""
    for option in (
        click.option(
            "--interval",
            type=click.FloatRange(min=0.1, max=86400),
            callback=_only_watched,
            help=f"Seconds between two looks.  [default: {WATCH_INTERVAL_S:g}; with --watch]",
        ),
        click.option(
            "--watch",
            "watched",
            is_flag=True,
            is_eager=True,
            help="Show it again and again until Ctrl-C.",
        ),
    ):
        command = option(command)
    return command


def _only_watched(ctx: click.Context, _: click.Parameter, interval: float | None) -> float:
    if interval is not None and not ctx.params.get("watched"):
        raise Misused(f"--interval needs --watch. See `{ctx.command_path} --help`.")
    return interval or WATCH_INTERVAL_S


def since_option(help_text: str) -> Callable[[F], F]:
    """`--since`, which commands get as ISO-8601 UTC, or empty."""
    return click.option("--since", callback=_since, metavar="30m|2h|7d|MOMENT", help=help_text)


def _since(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """A span back from now, or a moment, as the admin plane reads it."""
    app = ctx.find_object(App)
    if value is None or app is None:
        return ""
    now = app.outside.now()
    return str(parsed(lambda text: to_wire(parse_since(text, now)))(ctx, param, value))
