"""`subagentctl events`."""

from difflib import get_close_matches
from functools import partial

import click

from subagentctl import fields
from subagentctl.app import App, EachOnce, parsed, shared_options, since_option
from subagentctl.client import JsonObject
from subagentctl.echoes import Reasons, without_echoes
from subagentctl.errors import Misused
from subagentctl.feed import BEGINNING, Following, Show, Wanted, show_recorded
from subagentctl.fields import moment
from subagentctl.look import Look
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.story import KINDS, clause, style_of
from subagentctl.text import clean, cut, cut_middle, pad, width

_DEFAULT_LAST = 50
_MOST = 1_000
_AT, _ID, _AGENT = 15, 8, 14
_AGENT_LEAST, _SENTENCE = 6, 32
"""On a narrow terminal the agent yields down to this, so that the sentence has that much room."""

_GAP = "  "
_NOTHING_YET = "nothing has happened yet: no event is on record."
_NOTHING_FITS = "no event on record fits."
_RARE = " Rare ones are looked for among the newest 200,000; with --since among all."


def parse_kinds(text: str) -> str:
    """`started,ended`: words separated by commas; which there are the sidecar knows best."""
    return ",".join(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


@click.command(cls=EachOnce, short_help="Show what happens to tasks, as it happens.")
@click.option("--task", "task_id", default="", metavar="ID", help="Only of this task.")
@click.option("--session", default="", help="Only of tasks of this session.")
@click.option("--agent", default="", help="Only of tasks of this agent.")
@click.option("--upstream", default="", help="Only of tasks on this upstream.")
@click.option(
    "--kind",
    metavar="KIND[,...]",
    callback=parsed(parse_kinds),
    default="",
    help="Only these, such as started, ended, cancel_unconfirmed.",
)
@since_option("Only what happened since then (UTC if no zone is given).")
@click.option(
    "--last",
    type=click.IntRange(min=0, max=_MOST),
    help="Begin with the newest that many; several may share a line.  "
    f"[default: {_DEFAULT_LAST}; without --since]",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@shared_options
@click.pass_obj
def events(
    app: App,
    task_id: str,
    session: str,
    agent: str,
    upstream: str,
    kind: str,
    since: str,
    last: int | None,
    follow: bool,
) -> None:
    """Show what happened to tasks, oldest first, and with --follow what happens from now on.

    A line says when (UTC), to which task (the end of its id), of which agent, and what; what
    happened to none has `—` there. With `-o json` it is the full event, as the admin API gives it.
    """
    if since and last is not None:
        raise Misused("give --since or --last, not both. See `subagentctl events --help`.")
    if app.output == "csv":
        raise Misused("events are shown as lines or, with -o json, one object a line; not csv.")
    wanted = Wanted(
        task=task_id.strip(),
        session=session,
        agent=agent,
        upstream=upstream,
        kind=kind,
        since=since,
        last=_DEFAULT_LAST if last is None and not since else last,
    )
    _name_strangers(kind)
    shown = Shown(partial(_show, app), whole=app.output == "json")
    place = ""
    with app.client() as client:
        try:
            place = show_recorded(client, wanted, shown.page)
            if follow:
                Following(client, wanted, place, shown, app.outside).run()
        except KeyboardInterrupt:
            if not follow:
                raise
    if not (shown.count or follow or last == 0):
        click.echo(f"subagentctl: {_nothing(place, wanted)}", err=True)


def _nothing(place: str, wanted: Wanted) -> str:
    """Why there is not a line."""
    if place == BEGINNING:
        return _NOTHING_YET
    return _NOTHING_FITS + ("" if wanted.since or wanted.task else _RARE)


class Shown:
    """Shows events, and counts them; without echoes and reasons that were said, unless they are to
    be `whole`."""

    def __init__(self, show: Show, *, whole: bool) -> None:
        self._show = show
        self._whole = whole
        self._reasons = Reasons()
        self.count = 0

    def page(self, events: list[JsonObject]) -> None:
        for event in events if self._whole else without_echoes(events):
            self(event)

    def __call__(self, event: JsonObject) -> None:
        self.count += 1
        self._show(event if self._whole else self._reasons.once(event))


def _name_strangers(kinds: str) -> None:
    """A slip of the pen would be waited for in silence, and for ever."""
    strange = [kind for kind in kinds.split(",") if kind and kind not in KINDS]
    if not strange:
        return
    every = sorted(KINDS)
    close = list(dict.fromkeys(kind for word in strange for kind in get_close_matches(word, every)))
    known = f"like it: {', '.join(close)}" if close else f"it knows {', '.join(every)}"
    click.echo(
        f"subagentctl: this version knows no kind of event called {clean(', '.join(strange))}; "
        f"{known}.",
        err=True,
    )


def _show(app: App, event: JsonObject) -> None:
    if app.output == "json":
        emit(as_json(event, indent=None))
    else:
        emit(f"{line(event, app.outside.look())}\n")


def line(event: JsonObject, look: Look) -> str:
    """`11-23 03:00:00Z  a134a759  researcher      started`, no wider than there is room."""
    at = moment(event, "at")
    task = clean(fields.text(event, "task_id"))[-_ID:]
    if look.width is not None and not (task or fields.text(event, "agent_name")):
        about = [look.unknown]  # who did what with a key has need of the room
    else:
        about = [pad(task or look.unknown, _ID), _agent(event, look)]
    start = _GAP.join([pad(f"{at:%m-%d %H:%M:%S}Z" if at else "", _AT), *about, ""])
    text = clean(clause(event)).strip()
    if look.width is not None:
        start = cut(start, look.width, look.ellipsis)
        text = cut(text, max(0, look.width - width(start)), look.ellipsis)
    return (start + look.paint(text, style_of(event))).rstrip()


def _agent(event: JsonObject, look: Look) -> str:
    agent = clean(fields.text(event, "agent_name")) or look.unknown
    columns = _agent_columns(look.width)
    shorten = cut_middle if columns == _AGENT else cut  # there is no room for two ends
    return pad(shorten(agent, columns, look.ellipsis), columns)


def _agent_columns(available: int | None) -> int:
    """The same for every line, whatever it says."""
    if available is None:
        return _AGENT
    left = available - _AT - _ID - 3 * len(_GAP) - _SENTENCE
    return max(_AGENT_LEAST, min(_AGENT, left))


COMMANDS = (events,)
