"""`subagentctl start`, `check` and `update`."""

import math
import sys
import time

import click

from subagentctl import tools
from subagentctl.app import App, EachOnce, parsed, shared_options
from subagentctl.client import Client, JsonObject
from subagentctl.errors import Misused, Unreachable
from subagentctl.listing import fetch_task
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.tools import Standing
from subagentctl.tools_view import lines, progress, standing_page

_SHORTEST_ID = 4
_STEP_S = 1.0
_QUIET_STEP_S = 60.0
_OVER = "\r\x1b[K"


def parse_session(text: str) -> str:
    """A name. Raises ValueError for an empty one (an unset variable)."""
    if not text.strip():
        raise ValueError("it is empty; leave it out")
    return text


@click.command(cls=EachOnce, short_help="Start an agent in the background.")
@click.argument("agent", metavar="AGENT")
@click.argument("text", metavar="TEXT")
@click.option(
    "--session",
    callback=parsed(parse_session),
    help="The session it belongs to.  [default: that of all who name none]",
)
@click.option("--wait", "waits", is_flag=True, help="Wait until it is over, and print its result.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, max=86_400),
    help="Wait at most that long; the task goes on.  [with --wait]",
)
@shared_options
@click.pass_obj
def start(
    app: App, agent: str, text: str, session: str | None, waits: bool, timeout: float | None
) -> None:
    """Start AGENT with the instruction TEXT, and print the id of the task.

    TEXT may be - for what stands on stdin. Policies and budgets hold as they do for supervisors.

    With --wait, exit code 1 says that the task did not succeed: it failed, was cancelled, waits
    for a human, or is not over after --timeout.
    """
    _table_or_json(app, "start")
    if timeout is not None and (not waits or math.isnan(timeout)):
        raise Misused("--timeout needs --wait, and a number. See `subagentctl start --help`.")
    arguments = {"subagent_type": agent, "description": _words(text)}
    with app.client() as client:
        answer = _started(client, arguments, session)
        task_id = _task_id(client, answer)
        if not waits:
            emit(as_json(answer) if app.output == "json" else f"{task_id}\n")
            return
        standing = _waited(app, client, task_id, math.inf if timeout is None else timeout)
        task = fetch_task(client, task_id).task
    _show(app, standing, task)
    if standing.status != "success":
        click.get_current_context().exit(1)


@click.command(short_help="See how a task stands right now, and its result.")
@click.argument("task_id", metavar="ID")
@shared_options
@click.pass_obj
def check(app: App, task_id: str) -> None:
    """See how a task stands right now, by its server, and its result or what it asks.

    ID is the whole id, or any head or tail of it that fits only one task (4 characters at least).
    """
    _table_or_json(app, "check")
    with app.client() as client:
        task = _meant(client, task_id)
        standing = tools.check(client, str(task["task_id"]))
    _show(app, standing, task)


@click.command(short_help="Send further instructions to a task.")
@click.argument("task_id", metavar="ID")
@click.argument("text", metavar="TEXT")
@shared_options
@click.pass_obj
def update(app: App, task_id: str, text: str) -> None:
    """Send further instructions to a task. Its current run is interrupted, or goes on before the
    new one starts, as the agent's update_strategy has it.

    ID as for `check`; TEXT may be - for what stands on stdin.
    """
    _table_or_json(app, "update")
    words = _words(text)
    with app.client() as client:
        task = _meant(client, task_id)
        arguments = {"task_id": str(task["task_id"]), "message": words}
        answer = tools.call(client, "update_async_task", arguments)
    if app.output == "json":
        emit(as_json(answer))
    else:
        emit("".join(f"{line}\n" for line in lines(str(answer.get("text")))))


def _table_or_json(app: App, command: str) -> None:
    if app.output == "csv":
        raise Misused(f"`{command}` answers with text or, with -o json, one document; not csv.")


def _words(text: str) -> str:
    words = sys.stdin.read() if text == "-" else text
    if not words.strip():
        raise Misused("the instruction is empty.")
    return words


def _meant(client: Client, task_id: str) -> JsonObject:
    if len(task_id.strip()) < _SHORTEST_ID:
        raise Misused(f"a task id needs at least {_SHORTEST_ID} characters of it.")
    return fetch_task(client, task_id.strip()).task


def _started(client: Client, arguments: JsonObject, session: str | None) -> JsonObject:
    try:
        return tools.call(client, "start_async_task", arguments, session=session)
    except Unreachable as error:
        if not error.in_doubt:
            raise
        more = "If it was reached, the task may be there: `subagentctl tasks` tells."
        raise Unreachable(f"{error.message} {more}") from error


def _task_id(client: Client, answer: JsonObject) -> str:
    task_id = answer.get("task_id")
    if not isinstance(task_id, str):
        raise client.surprise("its answer names no task")
    return task_id


def _waited(app: App, client: Client, task_id: str, limit: float) -> Standing:
    """Seen on a terminal while it lasts; without one there are fewer questions."""
    begun = time.monotonic()
    shows = app.outside.is_terminal("stderr")

    def left() -> float:
        return limit - (time.monotonic() - begun)

    def show(standing: Standing) -> None:
        if shows:
            line = progress(standing, time.monotonic() - begun, app.outside.look())
            click.echo(f"{_OVER}{line}", err=True, nl=False, color=True)

    step = _STEP_S if shows else _QUIET_STEP_S
    try:
        return tools.wait_until(client, task_id, step=step, left=left, show=show)
    except KeyboardInterrupt:
        click.echo(
            f"\nsubagentctl: the task goes on; `subagentctl check {task_id}` tells how.", err=True
        )
        raise
    finally:
        if shows:
            click.echo(_OVER, err=True, nl=False, color=True)


def _show(app: App, standing: Standing, task: JsonObject) -> None:
    if app.output == "json":
        emit(as_json({**standing.found, "task": task, "content": standing.answer.get("content")}))
    else:
        emit(standing_page(standing, task, app.outside.look()))


COMMANDS = (start, check, update)
