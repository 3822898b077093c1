"""`subagentctl sessions` and `subagentctl session end`."""

from urllib.parse import urlencode

import click

from subagentctl.app import App, EachOnce, shared_options
from subagentctl.client import Client, JsonObject, segment
from subagentctl.errors import Misused
from subagentctl.fields import records
from subagentctl.outside import emit
from subagentctl.render import View, as_json
from subagentctl.sessions_view import end_lines, footer, nothing, sessions_csv, sessions_table
from subagentctl.text import wrap

_PAGE = 200
_TIMEOUT_S = 30.0


@click.command(cls=EachOnce, short_help="List sessions: who has what running.")
@click.option("--session", default="", help="Only this session.")
@click.option("--agent", default="", help="Only sessions with tasks of this agent.")
@click.option("--upstream", default="", help="Only sessions with tasks on this upstream.")
@click.option("--supervisor", default="", help="Only sessions of this supervisor.")
@click.option("--all", "everything", is_flag=True, help="Also those at rest for over an hour.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Show at most that many, 0 for all.",
)
@shared_options
@click.pass_obj
def sessions(
    app: App,
    session: str,
    agent: str,
    upstream: str,
    supervisor: str,
    everything: bool,
    limit: int,
) -> None:
    """List sessions, those with live tasks first, then by their last sign of life: a start, a
    follow-up, a question after a task, a heartbeat.

    LEASE says whether somebody is there who renews one: held, expired (its grace goes on), lapsed,
    ended; nothing where none was ever renewed.
    """
    filters = {
        "session": session,
        "agent": agent,
        "upstream": upstream,
        "supervisor": supervisor,
    }
    everything = everything or bool(session)
    with app.client() as client:
        found, more = _fetch(client, filters, everything, limit)
    match app.output:
        case "json":
            emit(as_json({"sessions": found, "more": more}))
        case "csv":
            emit(sessions_csv(found))
        case _:
            emit(_picture(app, found, more, any(filters.values()), everything))


def _fetch(
    client: Client, filters: dict[str, str], everything: bool, limit: int
) -> tuple[list[JsonObject], bool]:
    """Page by page, and whether there are more than `limit`."""
    found: list[JsonObject] = []
    cursor = ""
    while True:
        size = min(limit - len(found), _PAGE) if limit else _PAGE
        asked = {**filters, "all": "true" if everything else "", "limit": str(size)}
        page = client.get("/v1/sessions", {**asked, "cursor": cursor})
        if not isinstance(page.get("sessions"), list):
            raise client.surprise("its answer holds no sessions")
        found += [dict(each) for each in records(page, "sessions")]
        following = str(page.get("next_cursor") or "")
        if not following or (limit and len(found) >= limit):
            return found, bool(following)
        if following == cursor:
            raise client.surprise("its second page is the first one again")
        cursor = following


def _picture(
    app: App, found: list[JsonObject], more: bool, filtered: bool, everything: bool
) -> str:
    look = app.outside.look()
    if not found:
        lines = _folded(nothing(filtered=filtered, everything=everything), look.width)
    else:
        table = sessions_table(found, View(look, app.outside.now()))
        foot = _folded(footer(found, more=more, everything=everything), look.width)
        lines = [*table, "", *(look.paint(line, "dim") for line in foot)]
    return "".join(f"{line}\n" for line in lines)


def _folded(sentences: str, width: int | None) -> list[str]:
    return wrap(sentences, width) if width else [sentences]


@click.group(short_help="End a session.")
def session() -> None:
    """One session."""


@session.command(cls=EachOnce, short_help="End a session, and what it started.")
@click.argument("session_id", metavar="ID")
@click.option("--supervisor", default="", help="Whose, where several have one of that name.")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept on record.")
@shared_options
@click.pass_obj
def end(app: App, session_id: str, supervisor: str, reason: str) -> None:
    """Say that a session is over, and what becomes of its live tasks: that is for the policy to
    say (on_session_end).

    ID is the whole id; or any head or tail of it that fits only one that was alive within the last
    hour (4 characters at least). What the session starts afterwards is not touched: `subagentctl
    freeze --session` refuses it.
    """
    if app.output == "csv":
        raise Misused(
            "what an end came to is told in words or, with -o json, as a record; not csv."
        )
    given = session_id.strip().strip("…")
    if not given:
        raise Misused("say which session. See `subagentctl session end --help`.")
    query = f"?{urlencode({'supervisor': supervisor})}" if supervisor else ""
    body: JsonObject = {"reason": reason} if reason.strip() else {}
    with app.client() as client:
        path = f"/v1/sessions/{segment(given)}/end{query}"
        answer = client.post(path, body, timeout=_TIMEOUT_S)
    if app.output == "json":
        emit(as_json(answer))
    else:
        emit("".join(f"{line}\n" for line in end_lines(answer, app.outside.look())))


COMMANDS = (sessions, session)
