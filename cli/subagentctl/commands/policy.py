"""`subagentctl policy`."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from subagentctl.app import App, shared_options
from subagentctl.client import Client, JsonObject
from subagentctl.errors import Invalid, Misused, Unreachable
from subagentctl.outside import emit
from subagentctl.policy_live import NO_FILES, reloaded, state_lines, texts
from subagentctl.policy_questions import explain, replay
from subagentctl.policy_view import policy_lines, summary
from subagentctl.render import as_json

if TYPE_CHECKING:
    from subagentctl.policies import Loaded

_RELOAD_S = 60.0
"""Ten thousand lines of YAML take a few seconds."""


@click.group(
    short_help="Check, show, explain, replay and reload policies.", invoke_without_command=True
)
@click.pass_context
def policy(ctx: click.Context) -> None:
    """Check, show, explain, replay and reload policies: which tasks may start, what they may cost,
    when they end.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


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


@policy.command(short_help="Show what is in force, or what policy files come to.")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@shared_options
@click.pass_obj
def show(app: App, files: tuple[str, ...]) -> None:
    """Show what the running sidecar has in force; or what FILEs come to when they are loaded
    together, in that order, for which no sidecar is asked.

    FILE is a path, or the name of a bundled policy: default, observe, strict.
    """
    _no_csv(app)
    if not files:
        _show_live(app)
        return
    loaded = _load(files)
    if app.output == "json":
        emit(as_json(_record(loaded)))
    else:
        look = app.outside.look()
        _emit_lines(policy_lines(loaded.document, loaded.files, loaded.origins, look))


@policy.command(name="reload", short_help="Have the sidecar read its policy files again.")
@shared_options
@click.pass_obj
def reload_policy(app: App) -> None:
    """Have the running sidecar read its policy files again, and say what is in force then.

    A file with a mistake changes nothing: what was in force stays so, and every mistake is said.
    Exit code 64, as of `policy validate`: there are mistakes.
    """
    _no_csv(app)
    with app.client() as client:
        answer = client.post("/v1/policy/reload", {}, timeout=_RELOAD_S)
    emit(as_json(answer) if app.output == "json" else f"{reloaded(answer)}\n")


def _show_live(app: App) -> None:
    with app.client() as client:
        answer = _live(client)
        if app.output == "json":
            emit(as_json(answer))
        else:
            _emit_lines(_live_lines(app, client, answer))


def _live(client: Client) -> JsonObject:
    try:
        return client.get("/v1/policy")
    except Unreachable as error:
        more = "Without one, name a file, or a bundled policy: `subagentctl policy show default`."
        raise Unreachable(f"{error.message} {more}") from error


def _live_lines(app: App, client: Client, answer: JsonObject) -> Sequence[str]:
    look = app.outside.look()
    try:
        rules = policy_lines(
            answer["policy"], texts(answer, "files") or [NO_FILES], answer["origins"], look
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # It is made of what came over the network, by a sidecar of whatever version.
        raise client.surprise("its answer is no policy that this version can read") from error
    return [*rules, *state_lines(answer, app.outside.now(), look)]


def _emit_lines(lines: Sequence[str]) -> None:
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
        "policy": loaded.document,
        "origins": loaded.origins,
    }


for _question in (explain, replay):
    policy.add_command(_question)

COMMANDS = (policy,)
