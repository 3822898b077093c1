"""`subagentctl policy explain` and `policy replay`: what rules make of starts, now and before."""

import importlib
from datetime import timedelta
from typing import Any

import click

from subagentctl.app import App, shared_options, since_option
from subagentctl.client import JsonObject
from subagentctl.errors import Misused
from subagentctl.explain_view import explain_lines
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.replay_view import replay_lines
from subagentctl.when import parse_moment

_USUAL_SPAN = timedelta(days=7)


@click.command(short_help="Which rules a start meets now, and what would be answered.")
@click.argument("task", metavar="[TASK]", default="")
@click.option("--agent", default="", help="A start of this agent, instead of a task's like.")
@click.option("--session", default="", help="From this session.  [default: the supervisor's own]")
@click.option("--supervisor", default="", help="By this supervisor.  [default: anonymous]")
@click.option("--upstream", default="", help="On this upstream.  [default: where it would go]")
@click.option("--depth", type=click.IntRange(min=0), help="This deep.  [default: by the session]")
@shared_options
@click.pass_obj
def explain(
    app: App,
    task: str,
    agent: str,
    session: str,
    supervisor: str,
    upstream: str,
    depth: int | None,
) -> None:
    """Explain which rules are about a start, how each of them stands right now, and what would be
    answered: to another start like TASK and to a follow-up of it, or to a start of --agent.

    Of a TASK it also says what was asked when its runs were let in. Nothing is started or recorded.
    """
    _no_csv(app)
    call = {"agent": agent, "session": session, "supervisor": supervisor, "upstream": upstream}
    given = {**call, "depth": "" if depth is None else str(depth)}
    if bool(task) == bool(agent) or (task and any(given.values())):
        raise Misused(
            "give either a TASK, or --agent and what else the start would say. "
            "See `subagentctl policy explain --help`."
        )
    with app.client() as client:
        answer = client.get("/v1/policy/explain", {"task": task.strip(), **given})
    if app.output == "json":
        emit(as_json(answer))
    else:
        emit("".join(f"{line}\n" for line in explain_lines(answer, app.outside.look())))


@click.command(short_help="What another policy would have made of the starts on record.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@since_option("Replay what was started since then (UTC if no zone is given).  [default: 7d]")
@click.option("-v", "--verbose", is_flag=True, help="Also each start by itself.")
@shared_options
@click.pass_obj
def replay(app: App, files: tuple[str, ...], since: str, verbose: bool) -> None:
    """Run the starts on record through another policy, and say what it would have refused, when, by
    which rule, and what that would have saved.

    FILE is a path, or the name of a bundled policy: default, observe, strict. Several are taken as
    one policy, in that order. Nothing is sent to the sidecar: it is only read from. What a number
    followed by ? leaves out is unknown. Exit code 64: a policy file has mistakes.
    """
    _no_csv(app)
    begin = parse_moment(since) or app.outside.now() - _USUAL_SPAN
    # Not above: the other commands must not wait for a YAML parser.
    replaying: Any = importlib.import_module("subagentctl.replaying")
    with app.client() as client:
        document: JsonObject = replaying.replayed(client, files, begin, single=verbose)
    if app.output == "json":
        emit(as_json(document))
    else:
        emit("".join(f"{line}\n" for line in replay_lines(document, app.outside.look())))


def _no_csv(app: App) -> None:
    if app.output == "csv":
        raise Misused("this is shown as tables or, with -o json, as one document; not csv.")
