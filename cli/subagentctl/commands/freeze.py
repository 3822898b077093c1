"""`subagentctl freeze` and `subagentctl unfreeze`: the kill switch."""

from collections.abc import Callable
from shlex import quote
from typing import Any, TypeVar

import click

from subagentctl.app import App, EachOnce, parsed, shared_options
from subagentctl.client import JsonObject
from subagentctl.commands.cancel import parse_selector
from subagentctl.errors import Misused
from subagentctl.fields import Record, records
from subagentctl.freeze_view import frozen_lines, place_of
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.unheard import remark

F = TypeVar("F", bound=Callable[..., Any])

_TIMEOUT_S = 30.0
_name = parsed(parse_selector)


def _selectors(verb: str) -> Callable[[F], F]:
    """`--agent`, `--session` and `--all`."""

    def decorated(command: F) -> F:
        for option in (
            click.option("--all", "everything", is_flag=True, help=f"{verb} every start."),
            click.option("--session", callback=_name, help=f"{verb} the starts of this session."),
            click.option("--agent", callback=_name, help=f"{verb} the starts of this agent."),
        ):
            command = option(command)
        return command

    return decorated


@click.command(cls=EachOnce, short_help="Refuse every start: of an agent, a session, or all.")
@_selectors("Refuse")
@click.option("--reason", default="", metavar="TEXT", help="Why; refused models are told.")
@click.option("--yes", "sure", is_flag=True, help="With --all: do not ask whether that is meant.")
@click.option("--show", is_flag=True, help="Show what is frozen, and change nothing.")
@shared_options
@click.pass_obj
def freeze(
    app: App,
    agent: str | None,
    session: str | None,
    everything: bool,
    reason: str,
    sure: bool,
    show: bool,
) -> None:
    """Refuse every start of an agent, of a session, or all of them, until `unfreeze` lifts it.

    Follow-ups are refused as well. What is at work goes on: `subagentctl cancel` ends it. The very
    next start is refused once this has answered.

    One agent or session at a time, by its whole name: patterns are refused. A name that nothing is
    on record of is frozen for when it comes, with a note that says so. To freeze once more replaces
    the reason.
    """
    _no_csv(app)
    place = _place(agent, session, everything, needed=not show)
    with app.client() as client:
        if show:
            if place or reason:
                raise Misused("--show changes nothing; leave out what is to be frozen.")
            _say(app, client.get("/v1/freeze"), "")
            return
        if everything and not sure:
            _make_sure(app)
        body = {**place, **({"reason": reason} if reason.strip() else {})}
        answer = client.post("/v1/freeze", body, timeout=_TIMEOUT_S)
    _say(app, answer, f"frozen: {place_of(place)}")
    _remark(app, answer, place)


@click.command(cls=EachOnce, short_help="Lift a freeze.")
@_selectors("Let in again")
@shared_options
@click.pass_obj
def unfreeze(app: App, agent: str | None, session: str | None, everything: bool) -> None:
    """Lift the freeze of an agent, of a session, or the one of all starts.

    Each freeze is lifted by itself: --all lifts the one that `freeze --all` made, and leaves those
    of agents and sessions as they are. Exit code 4: there is no such freeze.
    """
    _no_csv(app)
    place = _place(agent, session, everything, needed=True)
    with app.client() as client:
        answer = client.post("/v1/unfreeze", place, timeout=_TIMEOUT_S)
    _say(app, answer, f"no longer frozen: {place_of(place)}")


def _place(agent: str | None, session: str | None, everything: bool, *, needed: bool) -> JsonObject:
    """Exactly one; none only where nothing is `needed`."""
    chosen: list[JsonObject] = []
    if agent is not None:
        chosen.append({"scope": "agent", "id": agent})
    if session is not None:
        chosen.append({"scope": "session", "id": session})
    if everything:
        chosen.append({"scope": "all"})
    if len(chosen) > 1 or (needed and not chosen):
        raise Misused(
            "say what, in one way: --agent, --session or --all. See `subagentctl freeze --help`."
        )
    return chosen[0] if chosen else {}


def _make_sure(app: App) -> None:
    answer = app.outside.ask("Refuse every start from now on?")
    if answer is None:
        raise Misused("this would refuse every start, and there is no terminal to ask: give --yes.")
    if not answer:
        click.echo("subagentctl: nothing was frozen.", err=True)
        click.get_current_context().exit(1)


def _say(app: App, answer: Record, done: str) -> None:
    if app.output == "json":
        emit(as_json(answer))
        return
    left = frozen_lines(records(answer, "frozen"), app.outside.now(), app.outside.look())
    emit("".join(f"{line}\n" for line in ([done] if done else []) + left))


def _remark(app: App, answer: Record, place: Record) -> None:
    """On stderr, so that it is seen wherever the rest goes; in JSON it stands already."""
    lift = f"subagentctl unfreeze --{place.get('scope')} {quote(str(place.get('id')))}"
    note = remark(answer, f"It is frozen as it was typed; `{lift}` lifts that.")
    if note and app.output != "json":
        click.echo(f"subagentctl: {note}", err=True)


def _no_csv(app: App) -> None:
    if app.output == "csv":
        raise Misused("what is frozen is told in words or, with -o json, as a list; not csv.")


COMMANDS = (freeze, unfreeze)
