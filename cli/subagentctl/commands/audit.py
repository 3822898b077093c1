"""`subagentctl audit`."""

import click

from subagentctl.app import App, EachOnce, parsed, shared_options
from subagentctl.audit_view import adopted_lines, audit_csv, audit_lines, failed
from subagentctl.client import Client, JsonObject
from subagentctl.commands.cancel import parse_selector
from subagentctl.errors import Misused
from subagentctl.fields import records
from subagentctl.outside import emit
from subagentctl.render import as_json

_PATIENCE_S = 300.0
"""Servers with many threads are read page by page, within two minutes each."""


@click.command(cls=EachOnce, short_help="Find tasks that went around the sidecar; adopt them.")
@click.argument("thread_ids", metavar="[ID]...", nargs=-1)
@click.option("--upstream", callback=parsed(parse_selector), help="Only on this upstream.")
@click.option("--adopt", is_flag=True, help="Put them on record: those with these IDs, or all.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=200,
    show_default=True,
    help="Of each upstream.",
)
@shared_options
@click.pass_obj
def audit(
    app: App, thread_ids: tuple[str, ...], upstream: str | None, adopt: bool, limit: int
) -> None:
    """Ask every agent server for threads that look like subagents' tasks and are not on record:
    those went around the sidecar.

    A thread looks like one by its metadata (what deepagents writes, or a sidecar), or by its graph
    where that is listed under the upstream's `agents`. With --adopt they are put on record as if
    their start had been seen: they are followed, count to limits and budgets, and can be cancelled.
    ID is a whole id, or any head or tail of it that fits only one (4 characters at least).

    Exit code 1: not everything could be looked at, or not everything adopted.
    """
    if thread_ids and not adopt:
        raise Misused("IDs are for --adopt; without it all that is found is shown.")
    with app.client(timeout=_PATIENCE_S) as client:
        if adopt:
            clean = _adopt(app, client, thread_ids, upstream)
        else:
            clean = _show(app, client, upstream, limit)
    if not clean:
        click.get_current_context().exit(1)


def _show(app: App, client: Client, upstream: str | None, limit: int) -> bool:
    answer = client.get("/v1/audit", {"upstream": upstream or "", "limit": str(limit)})
    ghosts, audits = records(answer, "ghosts"), records(answer, "upstreams")
    match app.output:
        case "json":
            emit(as_json(answer))
        case "csv":
            emit(audit_csv(ghosts))
        case _:
            _lines(audit_lines(ghosts, audits, app.outside.now(), app.outside.look()))
    return not failed(audits)


def _adopt(app: App, client: Client, ids: tuple[str, ...], upstream: str | None) -> bool:
    if app.output == "csv":
        raise Misused("what was adopted is told in lines or, with -o json, as a record; not csv.")
    body: JsonObject = {"adopt": [one.strip() for one in ids] or "all"}
    if upstream is not None:
        body["upstream"] = upstream
    answer = client.post("/v1/audit", body, timeout=_PATIENCE_S)
    left = records(answer, "left")
    if app.output == "json":
        emit(as_json(answer))
    else:
        _lines(adopted_lines(records(answer, "adopted"), left, records(answer, "upstreams")))
    return not left and not failed(records(answer, "upstreams"))


def _lines(lines: list[str]) -> None:
    emit("".join(f"{line}\n" for line in lines))


COMMANDS = (audit,)
