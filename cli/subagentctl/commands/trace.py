"""`subagentctl trace`."""

import click

from subagentctl.app import App, EachOnce, shared_options, watch_options
from subagentctl.client import Client
from subagentctl.errors import Misused
from subagentctl.look import Look
from subagentctl.outside import emit
from subagentctl.render import View, as_json, tasks_csv
from subagentctl.trace_view import trace_lines
from subagentctl.traces import Trace, fetch_trace, trace_json
from subagentctl.watch import screen, watch

_SHORTEST_ID = 4


@click.command(cls=EachOnce, short_help="Draw the tree that a task is part of.")
@click.argument("given", metavar="ID")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Show at most that many tasks, the oldest, 0 for all.",
)
@click.option(
    "--spans",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Show at most that many spans of others for a task.",
)
@watch_options
@shared_options
@click.pass_obj
def trace(app: App, given: str, limit: int, spans: int, watched: bool, interval: float) -> None:
    """Draw the tree that a task is part of as a waterfall: each task and run on one scale of time,
    from its request on, with what happened meanwhile; what goes on grows to the present.

    ID is a task's: the whole of it, or any head or tail that fits only one (4 characters at least).
    Or it is a trace's, 32 hexadecimal digits: then all trees that are in it are drawn.
    """
    if len(given.strip()) < _SHORTEST_ID:
        raise Misused(f"an id needs at least {_SHORTEST_ID} characters of it.")
    with app.client() as client:
        if watched:
            _watch(app, client, given, limit, spans, interval)
            return
        found = fetch_trace(client, given, limit)
    match app.output:
        case "json":
            emit(as_json(trace_json(found)))
        case "csv":
            emit(tasks_csv(found.tasks))
        case _:
            emit(_picture(app, found, spans, app.outside.look()))


def _picture(app: App, found: Trace, spans: int, look: Look) -> str:
    lines = trace_lines(found, View(look, app.outside.now()), spans=spans)
    return "".join(f"{line}\n" for line in lines)


def _watch(app: App, client: Client, given: str, limit: int, spans: int, interval: float) -> None:
    def draw(look: Look) -> str:
        found = fetch_trace(client, given, limit)
        if app.output == "json":
            return as_json(trace_json(found), indent=None)
        return _picture(app, found, spans, look)

    watch(draw, screen(app, interval), app.outside, interval)


COMMANDS = (trace,)
