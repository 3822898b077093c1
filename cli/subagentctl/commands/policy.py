"""`subagentctl policy`."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from subagentctl.app import App, shared_options
from subagentctl.client import JsonObject
from subagentctl.errors import Invalid, Misused
from subagentctl.outside import emit
from subagentctl.policy_view import policy_lines, summary
from subagentctl.render import as_json

if TYPE_CHECKING:
    from subagentctl.policies import Loaded

_DEFAULT = ("default",)


@click.group(short_help="Check and show policy files.")
def policy() -> None:
    """Check and show policy files: which tasks may start, what they may cost, when they end.

    This version enforces none of it yet: it only reads.
    """


@policy.command(short_help="Find every mistake in policy files.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@shared_options
@click.pass_obj
def validate(app: App, files: tuple[str, ...]) -> None:
    """Find every mistake in policy files, each with its file, line and key.

    FILE is a path, or the name of a bundled policy: default, observe, strict. Several are taken as
    they would be loaded: as one policy, in that order. Exit code 64: there are mistakes.
    """
    _no_csv(app)
    try:
        loaded = _load(files)
    except Invalid as error:
        if app.output == "json":
            emit(_verdict(files, error.problems))
        raise
    if app.output == "json":
        emit(_verdict(loaded.files, ()))
    else:
        emit(f"{', '.join(loaded.files)}: valid; {summary(loaded.document)}\n")


@policy.command(short_help="Show what policy files come to.")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@shared_options
@click.pass_obj
def show(app: App, files: tuple[str, ...]) -> None:
    """Show what policy files come to when they are loaded together, in that order.

    FILE is a path, or the name of a bundled policy: default (also without any FILE), observe,
    strict.
    """
    _no_csv(app)
    loaded = _load(files or _DEFAULT)
    if app.output == "json":
        emit(as_json(_record(loaded)))
    else:
        look = app.outside.look()
        lines = policy_lines(loaded.document, loaded.files, loaded.origins, look)
        emit("".join(f"{line}\n" for line in lines))


def _load(names: Sequence[str]) -> "Loaded":
    # Here, not above: the other commands must not wait for a YAML parser.
    found: Loaded = importlib.import_module("subagentctl.policies").load(names)
    return found


def _no_csv(app: App) -> None:
    if app.output == "csv":
        raise Misused("a policy is shown as tables or, with -o json, as one document; not csv.")


def _verdict(files: Sequence[str], problems: Sequence[str]) -> str:
    return as_json({"files": files, "valid": not problems, "problems": problems})


def _record(loaded: "Loaded") -> JsonObject:
    return {
        "files": loaded.files,
        "enforced": False,
        "policy": loaded.document,
        "origins": loaded.origins,
    }


COMMANDS = (policy,)
