"""`subagentctl cancel`."""

import math
from collections.abc import Sequence
from dataclasses import replace

import click

from subagentctl.app import App, EachOnce, parsed, shared_options
from subagentctl.client import Client, JsonObject
from subagentctl.ends import ends_csv, ends_json, ends_table, is_over, summary
from subagentctl.errors import Misused, Unreachable
from subagentctl.listing import LIVE, Query, fetch_listing, fetch_task
from subagentctl.outside import emit
from subagentctl.render import View, task_table

_SHORTEST_ID, _LONGEST_ID = 4, 500
_SHOWN = 20
_AT_ONCE = 1_000
_WAIT_S = 60.0
_MARGIN_S = 30.0
"""The sidecar answers when its wait is over; what it reads and writes meanwhile takes time too."""


def parse_selector(text: str) -> str:
    """A name. An empty one (an unset variable) would fit every task. Raises ValueError."""
    if not text.strip():
        raise ValueError("it is empty; leave it out, or say --all")
    return text


_name = parsed(parse_selector)


@click.command(cls=EachOnce, short_help="Cancel tasks, and say how each really ended.")
@click.argument("task_ids", metavar="[ID]...", nargs=-1)
@click.option("--session", callback=_name, help="The live tasks of this session.")
@click.option("--agent", callback=_name, help="The live tasks of this agent.")
@click.option("--upstream", callback=_name, help="The live tasks on this upstream.")
@click.option("--all", "everything", is_flag=True, help="Every live task.")
@click.option("--reason", default="", metavar="TEXT", help="Why; the supervisor's model is told.")
@click.option("--yes", "sure", is_flag=True, help="Do not ask whether that is meant.")
@click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(min=0, max=600),
    default=_WAIT_S,
    show_default=True,
    help="How long to wait for each end to be verified; 0: not at all.",
)
@shared_options
@click.pass_obj
def cancel(
    app: App,
    task_ids: tuple[str, ...],
    session: str | None,
    agent: str | None,
    upstream: str | None,
    everything: bool,
    reason: str,
    sure: bool,
    wait: float,
) -> None:
    """Cancel tasks, and say how each really ended.

    Every live run of a task is cancelled and its end verified: a server that says yes and goes on
    is asked again, then told to roll the run back. A task that had ended keeps its result.

    ID is a whole id, or any head or tail of it that fits only one task. Exit code 1: not every
    task is over; the sidecar keeps trying.
    """
    query = Query(session=session or "", agent=agent or "", upstream=upstream or "")
    _check(task_ids, query, everything)
    if math.isnan(wait):  # it passes every comparison of a range
        raise Misused("--wait: nan is not a number of seconds. See `subagentctl cancel --help`.")
    with app.client() as client:
        tasks = _named(client, task_ids) if task_ids else _live(client, query)
        if tasks and not sure:
            _make_sure(app, tasks)
        if tasks and wait:
            _say_what_takes_so_long(app, len(tasks), wait)
        ends, more = _cancelled(client, [str(task["task_id"]) for task in tasks], reason, wait)
    _show(app, tasks, ends, more=more)
    if not all(is_over(end) for end in ends):
        click.get_current_context().exit(1)


def _check(task_ids: Sequence[str], query: Query, everything: bool) -> None:
    if bool(task_ids) + query.filtered + everything != 1:
        raise Misused(
            "say which tasks, in one way: ids, --session/--agent/--upstream, or --all. "
            "See `subagentctl cancel --help`."
        )
    if any(len(task_id.strip()) < _SHORTEST_ID for task_id in task_ids):
        raise Misused(f"a task id needs at least {_SHORTEST_ID} characters of it.")
    if any(len(task_id) > _LONGEST_ID for task_id in task_ids):
        raise Misused(f"that is no task id: it has more than {_LONGEST_ID} characters.")


def _named(client: Client, task_ids: Sequence[str]) -> list[JsonObject]:
    """The records of the tasks meant, each once."""
    found = [fetch_task(client, task_id.strip()).task for task_id in task_ids]
    return list({str(task["task_id"]): task for task in found}.values())


def _live(client: Client, query: Query) -> list[JsonObject]:
    return fetch_listing(client, replace(query, status=",".join(LIVE), limit=0)).tasks


def _make_sure(app: App, tasks: Sequence[JsonObject]) -> None:
    """Show what is about to be cancelled, and go on only after a yes."""
    count = _count(len(tasks))
    view = View(app.outside.look(), app.outside.now())
    lines = task_table(tasks[:_SHOWN], view)
    if len(tasks) > _SHOWN:
        lines.append(f"and {len(tasks) - _SHOWN:,} more")
    click.echo("\n".join([*lines, ""]), err=True)
    answer = app.outside.ask(f"Cancel {count}?")
    if answer is None:
        raise Misused(f"this would cancel {count}, and there is no terminal to ask: give --yes.")
    if not answer:
        click.echo("subagentctl: nothing was cancelled.", err=True)
        click.get_current_context().exit(1)


def _say_what_takes_so_long(app: App, count: int, wait: float) -> None:
    """On a terminal only; not where a program that is fed JSON or CSV may be writing as well."""
    piped = app.output != "table" and not app.outside.is_terminal("stdout")
    if piped or not app.outside.is_terminal("stderr"):
        return
    ends = "its end" if count == 1 else "each end"
    told = f"cancelling {_count(count)}; waiting up to {wait:g} s for {ends} to be verified."
    click.echo(f"subagentctl: {told}", err=True)


def _count(tasks: int) -> str:
    return f"{tasks:,} task{'' if tasks == 1 else 's'}"


def _cancelled(
    client: Client, task_ids: Sequence[str], reason: str, wait: float
) -> tuple[list[JsonObject], bool]:
    """What became of them, and whether the sidecar says that there are more."""
    ends: list[JsonObject] = []
    more = False
    for start in range(0, len(task_ids), _AT_ONCE):
        body: JsonObject = {"task_ids": list(task_ids[start : start + _AT_ONCE]), "wait_s": wait}
        if reason.strip():
            body["reason"] = reason
        answer = _asked(client, body, timeout=wait + _MARGIN_S)
        ends += _ends(client, answer)
        more = more or answer.get("more") is True
    return ends, more


def _asked(client: Client, body: JsonObject, *, timeout: float) -> JsonObject:
    try:
        return client.post("/v1/cancel", body, timeout=timeout)
    except Unreachable as error:
        more = "What was asked for may be under way: `subagentctl tasks` tells."
        raise Unreachable(f"{error.message} {more}") from error
    except KeyboardInterrupt:
        more = "what was asked for goes on all the same; `subagentctl tasks` tells how."
        click.echo(f"\nsubagentctl: {more}", err=True)
        raise


def _ends(client: Client, answer: JsonObject) -> list[JsonObject]:
    ends = answer.get("tasks")
    if not isinstance(ends, list) or not all(isinstance(each, dict) for each in ends):
        raise client.surprise("its answer does not say what became of the tasks")
    return ends


def _show(app: App, tasks: Sequence[JsonObject], ends: Sequence[JsonObject], *, more: bool) -> None:
    match app.output:
        case "json":
            emit(ends_json(ends, more=more))
        case "csv":
            emit(ends_csv(ends))
        case _ if not tasks:
            emit("No live task fits; nothing was cancelled.\n")
        case _:
            by_id = {str(task["task_id"]): task for task in tasks}
            lines = [*ends_table(ends, by_id, app.outside.look()), "", summary(ends)]
            emit("".join(f"{line}\n" for line in lines))


COMMANDS = (cancel,)
