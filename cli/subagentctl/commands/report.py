"""`subagentctl report`."""

import click

from subagentctl.app import App, EachOnce, shared_options, since_option
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.report_view import report_csv, report_lines

_PATIENCE_S = 60.0
"""A record of millions of tasks is read in whole."""


@click.command(cls=EachOnce, short_help="How agents did, and advice with numbers.")
@since_option("Of runs that ended since then; a week where nothing is said.")
@click.option("--agent", default="", help="Only of this agent.")
@click.option("--upstream", default="", help="Only on this upstream.")
@click.option("--session", default="", help="Only of this session.")
@click.option(
    "--break-even",
    default="",
    metavar="30s|1m",
    help="What takes less is better done inline. 30s where nothing is said.",
)
@shared_options
@click.pass_obj
def report(app: App, since: str, agent: str, upstream: str, session: str, break_even: str) -> None:
    """How long each agent's runs took and waited, what they cost, how they ended, how many starts
    were refused and how often somebody asked after them; and what to make of it.

    RUN and QUEUE are of runs that came to their own end: p95 is what 95 of 100 stay within. FAILED
    are errors, timeouts of the server's and runs it lost, of all that ended; REFUSED is of all that
    was asked for. CLOCK is the policy's `run` clock. A MINUTE: how often a task was asked after for
    each minute of its life.

    Advice is given on 20 runs or more (on 100 about shorter clocks): to keep an agent inline whose
    p95 is under --break-even, for that long a supervisor spends on starting a task and fetching its
    result alone; longer and shorter `run` clocks; sessions that poll more than six times a minute.
    """
    asked = {
        "since": since,
        "agent": agent,
        "upstream": upstream,
        "session": session,
        "break_even": break_even,
    }
    with app.client(timeout=_PATIENCE_S) as client:
        answer = client.get("/v1/report", asked)
    if not isinstance(answer.get("agents"), list):
        raise client.surprise("its answer holds no agents")
    match app.output:
        case "json":
            emit(as_json(answer))
        case "csv":
            emit(report_csv(answer))
        case _:
            emit("".join(f"{line}\n" for line in report_lines(answer, app.outside.look())))


COMMANDS = (report,)
