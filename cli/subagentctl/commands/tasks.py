"""`subagentctl tasks` and `subagentctl task`."""

import click

from subagentctl.app import App, EachOnce, parsed, shared_options, since_option, watch_options
from subagentctl.client import Client
from subagentctl.errors import Misused
from subagentctl.listing import STATUSES, Listing, Query, fetch_listing, fetch_task
from subagentctl.look import Look
from subagentctl.outside import emit
from subagentctl.record import task_page, task_page_json
from subagentctl.render import View, footer, listing_json, nothing, task_table, tasks_csv
from subagentctl.text import wrap
from subagentctl.watch import screen, watch

_SHORTEST_ID = 4


def parse_statuses(text: str) -> str:
    """`running,waiting`: known status words, separated by commas. Raises ValueError."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in STATUSES:
            raise ValueError(f"{word!r} is none of {', '.join(STATUSES)}")
    return ",".join(dict.fromkeys(words))


@click.command(cls=EachOnce, short_help="List tasks, newest first.")
@click.option("--session", default="", help="Only tasks of this session.")
@click.option("--agent", default="", help="Only tasks of this agent.")
@click.option(
    "--status",
    metavar="STATUS[,...]",
    callback=parsed(parse_statuses),
    default="",
    help=f"Only these: {', '.join(STATUSES)}.",
)
@click.option("--upstream", default="", help="Only tasks on this upstream.")
@click.option("--supervisor", default="", help="Only tasks of this supervisor.")
@since_option("Only tasks made since then (UTC if no zone is given).")
@click.option("--all", "everything", is_flag=True, help="Also those that ended over an hour ago.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Show at most that many, 0 for all.",
)
@watch_options
@shared_options
@click.pass_obj
def tasks(
    app: App,
    session: str,
    agent: str,
    status: str,
    upstream: str,
    supervisor: str,
    since: str,
    everything: bool,
    limit: int,
    watched: bool,
    interval: float,
) -> None:
    """List tasks, newest first: the live ones and those that ended within the last hour."""
    query = Query(
        session=session,
        agent=agent,
        status=status,
        upstream=upstream,
        supervisor=supervisor,
        since=since,
        all=everything,
        limit=limit,
    )
    with app.client() as client:
        if watched:
            _watch(app, client, query, interval)
        else:
            _show(app, fetch_listing(client, query), query)


@click.command(short_help="Show one task: its record, its runs, its story.")
@click.argument("task_id", metavar="ID")
@shared_options
@click.pass_obj
def task(app: App, task_id: str) -> None:
    """Show one task: its record, its runs, its story.

    ID is the whole id, or any head or tail of it that fits only one task (4 characters at least).
    """
    if len(task_id.strip()) < _SHORTEST_ID:
        raise Misused(f"a task id needs at least {_SHORTEST_ID} characters of it.")
    with app.client() as client:
        page = fetch_task(client, task_id.strip())
    match app.output:
        case "json":
            emit(task_page_json(page))
        case "csv":
            emit(tasks_csv([page.task]))
        case _:
            emit(_joined(task_page(page, View(app.outside.look(), app.outside.now()))))


def _show(app: App, listing: Listing, query: Query) -> None:
    match app.output:
        case "json":
            emit(listing_json(listing))
        case "csv":
            emit(tasks_csv(listing.tasks))
            if listing.more:
                click.echo(f"subagentctl: {footer(listing, query)}", err=True)
        case _:
            emit(_picture(app, listing, query, app.outside.look()))


def _picture(app: App, listing: Listing, query: Query, look: Look) -> str:
    if not listing.tasks:
        return _joined(_folded(nothing(listing, query, app.server), look))
    now = app.outside.now()
    table = task_table(listing.tasks, View(look, now))
    foot = [look.paint(line, "dim") for line in _folded(footer(listing, query), look)]
    return _joined([*table, "", *foot])


def _folded(sentences: str, look: Look) -> list[str]:
    return wrap(sentences, look.width) if look.width else [sentences]


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _watch(app: App, client: Client, query: Query, interval: float) -> None:
    def draw(look: Look) -> str:
        listing = fetch_listing(client, query)
        if app.output == "json":
            return listing_json(listing, indent=None)
        return _picture(app, listing, query, look)

    watch(draw, screen(app, interval), app.outside, interval)


COMMANDS = (tasks, task)
