"""`subagentctl reap`."""

import math

import click

from subagentctl.app import App, EachOnce, shared_options
from subagentctl.client import JsonObject
from subagentctl.errors import Misused
from subagentctl.fields import records
from subagentctl.outside import emit
from subagentctl.reap_view import all_over, by_hand_only, nothing, reap_csv, reap_table, summary
from subagentctl.render import as_json

_WAIT_S = 20.0
_MARGIN_S = 60.0
"""What the sidecar asks servers for before it waits takes its time as well."""


@click.command(cls=EachOnce, short_help="End stale and orphaned tasks now; or say which.")
@click.option("--dry-run", is_flag=True, help="Say what would be ended, and end nothing.")
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
def reap(app: App, dry_run: bool, wait: float) -> None:
    """End what the lifecycle rules in force say is stale or orphaned, and say how each ended.

    The sidecar does this by itself every `reap_interval`; this is to see it done, or with --dry-run
    what would be done, with the evidence for each task. Rules that only observe are listed as
    well, in brackets.

    Exit code 1: something that was to end is not over; the sidecar keeps trying.
    """
    if math.isnan(wait):  # it passes every comparison of a range
        raise Misused("--wait: nan is not a number of seconds. See `subagentctl reap --help`.")
    path = "/v1/reap?dry_run=true" if dry_run else "/v1/reap"
    body: JsonObject = {"wait_s": wait}
    with app.client() as client:
        answer = client.post(path, body, timeout=wait + _MARGIN_S)
    found = records(answer, "reaps")
    match app.output:
        case "json":
            emit(as_json(answer))
        case "csv":
            emit(reap_csv(found))
        case _ if not found:
            emit("".join(f"{line}\n" for line in [nothing(), *by_hand_only(answer)]))
        case _:
            lines = reap_table(found, app.outside.look(), planned=dry_run)
            lines += ["", summary(found, planned=dry_run), *by_hand_only(answer)]
            emit("".join(f"{line}\n" for line in lines))
    if not dry_run and not all_over(found):
        click.get_current_context().exit(1)


COMMANDS = (reap,)
