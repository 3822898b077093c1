"""`subagentctl`: the group, the shared options, and how any of it may end.

Each module in `commands/` holds a tuple `COMMANDS`; adding a file there adds its commands.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from subagentctl import commands
from subagentctl.app import EXIT_CODES, FILE, OUTPUTS, App, parsed
from subagentctl.errors import Misused
from subagentctl.outside import Outside, forsake_stdout
from subagentctl.server import DEFAULT, Server, parse_server, parse_token
from subagentctl.trust import Trust

_INTERRUPTED = 130


class OneSentence(click.Group):
    """A group whose usage errors are one sentence, and which ends quietly when it is cut short."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _usage_in_one_sentence():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _usage_in_one_sentence():
                return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read the output has seen enough: `subagentctl tasks | head` went well.
            forsake_stdout()
            ctx.exit(0)
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)


@contextmanager
def _usage_in_one_sentence() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        # click shows all of the help; a script that forgot a word reads one sentence.
        raise Misused(_choice(error.ctx)) from error
    except click.UsageError as error:
        message = _sentence(error.format_message())
        command = error.ctx.command_path if error.ctx else "subagentctl"
        raise Misused(f"{message} See `{command} --help`.") from error


def _choice(ctx: click.Context) -> str:
    names = ctx.command.list_commands(ctx) if isinstance(ctx.command, click.Group) else []
    return f"say what to do: {', '.join(names)}. See `{ctx.command_path} --help`."


def _sentence(text: str) -> str:
    """On one line, with one mark at its end."""
    line = " ".join(text.split()).rstrip(".")
    return line if line.endswith(("?", "!")) else f"{line}."


@click.group(
    cls=OneSentence,
    invoke_without_command=True,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--server",
    metavar="URL",
    callback=parsed(parse_server),
    default=DEFAULT,
    show_default=True,
    envvar="SUBAGENTCTL_SERVER",
    show_envvar=True,
    help="Where the sidecar's admin plane listens.",
)
@click.option(
    "--token",
    metavar="TEXT",
    callback=parsed(parse_token),
    envvar="SUBAGENTCTL_TOKEN",
    show_envvar=True,
    help="Sent as bearer token. Others on this machine can read a command line: prefer the "
    "variable, or --token-file.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=FILE,
    envvar="SUBAGENTCTL_TOKEN_FILE",
    show_envvar=True,
    help="A file with the token in it, and nothing else.",
)
@click.option(
    "--ca",
    metavar="FILE",
    type=FILE,
    envvar="SUBAGENTCTL_CA",
    show_envvar=True,
    help="The authority behind the certificate of an https server, in PEM, in place of the "
    "machine's own ones.",
)
@click.option(
    "--cert",
    metavar="FILE",
    type=FILE,
    envvar="SUBAGENTCTL_CERT",
    show_envvar=True,
    help="A client certificate, for a server that asks for one.",
)
@click.option(
    "--key",
    metavar="FILE",
    type=FILE,
    envvar="SUBAGENTCTL_KEY",
    show_envvar=True,
    help="Its key, if that is not in the same file.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(OUTPUTS),
    default=OUTPUTS[0],
    show_default=True,
    help="A table to read, or full records for programs.",
)
@click.version_option(package_name="subagent-sidecar")
@click.pass_context
def cli(
    ctx: click.Context,
    server: Server,
    token: str | None,
    token_file: Path | None,
    output: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
) -> None:
    """See the tasks that run behind a subagent sidecar."""
    outside = ctx.obj if isinstance(ctx.obj, Outside) else Outside()
    trust = Trust(ca=ca, cert=cert, key=key)
    ctx.obj = App(outside=outside, server=server, token=None, output=output, trust=trust)
    _take_token(ctx, ctx.obj, {"token": token, "token_file": token_file})
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _take_token(ctx: click.Context, app: App, given: dict[str, Any]) -> None:
    """The one that was given, an option rather than a variable. Raises Misused for two options."""
    told = [name for name, value in given.items() if value is not None]
    options = [n for n in told if ctx.get_parameter_source(n) is ParameterSource.COMMANDLINE]
    if len(options) > 1:
        raise Misused("give --token or --token-file, not both. See `subagentctl --help`.")
    for name in (options or told)[:1]:
        app.take(name, given[name])


def _discover() -> Iterator[click.Command]:
    for module in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}."):
        yield from importlib.import_module(module.name).COMMANDS


for _command in _discover():
    cli.add_command(_command)


def main() -> None:
    """The console script."""
    cli(prog_name="subagentctl")


if __name__ == "__main__":
    main()
