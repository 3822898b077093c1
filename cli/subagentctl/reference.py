"""Makes docs/reference/cli.md out of `--help`: `python -m subagentctl.reference > FILE`."""

from collections.abc import Iterator
from typing import Any

import click

from subagentctl.__main__ import cli

_WIDTH = 80
_INTRODUCTION = """\
<!-- Made by `python -m subagentctl.reference > docs/reference/cli.md`: do not edit by hand. -->

# `subagentctl`

The operator's command: it asks a running sidecar's admin plane, and never the agent servers.
`policy validate` and `policy show FILE` read files, `dashboards export` writes some, and they ask
nobody; `policy replay FILE` reads files here and the record from the sidecar.

- `--server`, `--token`, `--token-file` and `-o` may stand before or behind the command's name. Of
  `SUBAGENTCTL_TOKEN` and `SUBAGENTCTL_TOKEN_FILE` the first one counts; see
  [who may do what](../admin-access.md).
- `-o table` fits the terminal: long texts are cut, columns that find no room are left out. On a
  pipe nothing is cut unless `COLUMNS` is set. Colour is used on a terminal only, and not with
  `NO_COLOR`.
- `●` marks what is live. A status with `?` is the last one seen: its server does not tell any more.
  One with `!` was cancelled and goes on all the same. `in doubt`: a start was sent, and what became
  of it is being found out.
- `trace` draws [a tree of tasks](../tracing.md#looking-at-it) on one scale of time, which begins at
  the oldest request; the bars get what width the rest leaves them, 40 columns on a pipe.
- `-o json` gives the full records, keys unknown to this version included, in ASCII. `tasks`
  prints `{"tasks": [...], "more": false, "hidden": 0}` (`more`: `--limit` left some out; `hidden`:
  how many ended over an hour ago and are not shown), `task` prints `{"task": {...}, "events":
  [...]}`, `sessions` prints `{"sessions": [...], "more": false}`, `trace` prints what
  [the admin API has](http.md#a-trace) on all its pages, with `more` in the place of a cursor.
  With `--watch` it is one document a line, and `events` prints one event a line.
  `policy show FILE` prints `{"files": [...], "policy": {...}, "origins": {...}}`, where `policy`
  is a policy file itself and `origins` says which of them each rule is from. Without FILE, and
  after `policy reload`, it is [what the sidecar answers](http.md#the-policy).
- `-o csv` follows RFC 4180. A cell that a spreadsheet would take for a formula begins with `'`.
- Errors are said on stderr, on one line that begins with `subagentctl:`.
- A reader that stops early (`| head`) and Ctrl-C during `--watch` and `--follow` are no failures:
  exit code 0.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_sections(cli, None)])


def _sections(command: click.Command, parent: click.Context | None) -> Iterator[str]:
    name = "subagentctl" if parent is None else command.name
    ctx = command.context_class(command, parent, info_name=name, **_settings(command))
    yield f"## `{ctx.command_path}`\n\n```text\n{command.get_help(ctx)}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(ctx):
            found = command.get_command(ctx, each)
            if found is not None:
                yield from _sections(found, ctx)


def _settings(command: click.Command) -> dict[str, Any]:
    """What click itself would hand to the context, but for one width everywhere."""
    return {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}


if __name__ == "__main__":
    click.echo(reference(), nl=False)
