"""`subagentctl keys`: who is let in at the data plane."""

import click

from subagentctl.app import App, EachOnce, shared_options
from subagentctl.client import JsonObject, segment
from subagentctl.errors import Misused
from subagentctl.fields import nested, records, text
from subagentctl.keys_view import advice, keys_lines, remark, revoked_lines
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.text import clean

_TIMEOUT_S = 30.0
_PREFIX = "ssk_"


@click.group(short_help="Make, list and revoke the keys of supervisors.")
def keys() -> None:
    """Keys of supervisors: with `auth: on` nobody is served at the data plane without one."""


@keys.command(cls=EachOnce, short_help="Make a key, and print it this once.")
@click.argument("name")
@click.option("--expires", metavar="30d", help="How long it is good for.  [default: for ever]")
@click.option(
    "--agents",
    multiple=True,
    metavar="GLOB",
    help="It may start only these; may stand several times.  [default: all]",
)
@click.option("--every-task", is_flag=True, help="It sees the tasks of all supervisors.")
@shared_options
@click.pass_obj
def create(
    app: App, name: str, expires: str | None, agents: tuple[str, ...], every_task: bool
) -> None:
    """Make a key of the supervisor NAME, and print it: alone on stdout, so that `KEY=$(subagentctl
    keys create team-a)` has it. It is shown this once, and kept nowhere.

    One supervisor may have several keys: to rotate, make another, hand it out, and revoke the first
    one by its id. NAME stands in every task and session, and policies match on it.
    """
    _no_csv(app, "a key is a line of its own")
    body: JsonObject = {"name": name, "every_task": every_task}
    if expires is not None:
        body["expires"] = expires
    if agents:
        body["agents"] = list(agents)
    with app.client() as client:
        answer = client.post("/v1/keys", body, timeout=_TIMEOUT_S)
        key = text(answer, "key")
        if not key:
            raise client.surprise("its answer holds no key")
    if app.output == "json":
        emit(as_json(answer))
        return
    emit(f"{clean(key).strip()}\n")
    for line in advice(nested(answer, "record"), asked=answer.get("auth") is not False):
        click.echo(f"subagentctl: {line}", err=True)


@keys.command("list", cls=EachOnce, short_help="List keys: whose, what for, until when.")
@shared_options
@click.pass_obj
def list_keys(app: App) -> None:
    """List the keys there are and were, oldest first: whose they are, what they may start, until
    when. Never the keys themselves: those are kept by nobody but who was given them."""
    _no_csv(app, "keys are listed in a table or, with -o json, as records")
    with app.client() as client:
        answer = client.get("/v1/keys")
    if app.output == "json":
        emit(as_json(answer))
        return
    lines = keys_lines(records(answer, "keys"), app.outside.now(), app.outside.look())
    emit("".join(f"{line}\n" for line in lines))
    _remark(answer)


@keys.command(cls=EachOnce, short_help="Revoke a key: it opens nothing any more.")
@click.argument("key", metavar="ID|NAME")
@click.option("--all", "everything", is_flag=True, help="Every key of the supervisor NAME.")
@shared_options
@click.pass_obj
def revoke(app: App, key: str, everything: bool) -> None:
    """Revoke a key, by its id or by the name of a supervisor that has only one. It opens nothing
    any more when this has answered; other processes on the same store know within two seconds, and
    streams that it had opened are cut. For good: there is no way back but another key.

    Exit code 4: there is no such key.
    """
    _no_csv(app, "what was revoked is told in words or, with -o json, as a record")
    body: JsonObject = {"all": True} if everything else {}
    with app.client() as client:
        path = f"/v1/keys/{segment(_id_of(key.strip()))}/revoke"
        answer = client.post(path, body, timeout=_TIMEOUT_S)
    if app.output == "json":
        emit(as_json(answer))
    else:
        emit("".join(f"{line}\n" for line in revoked_lines(answer)))


def _id_of(given: str) -> str:
    """Somebody may have nothing but the key itself; it must not travel in a path."""
    if given.startswith(_PREFIX):
        given = given.removeprefix(_PREFIX).partition("_")[0]
    if not given:
        raise Misused("say which key. See `subagentctl keys revoke --help`.")
    return given


def _no_csv(app: App, instead: str) -> None:
    if app.output == "csv":
        raise Misused(f"{instead}; not csv.")


def _remark(answer: JsonObject) -> None:
    if answer.get("auth") is False:
        click.echo(f"subagentctl: {remark()}", err=True)


COMMANDS = (keys,)
