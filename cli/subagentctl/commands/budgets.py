"""`subagentctl budgets`."""

import re

import click

from subagentctl.app import App, parsed, shared_options
from subagentctl.budgets_view import budgets_csv, budgets_table, footer, names, nothing, raised
from subagentctl.client import JsonObject
from subagentctl.errors import Misused
from subagentctl.fields import nested, records
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.text import wrap
from subagentctl.unheard import remark

_RAISE_S = 30.0
_USD = re.compile(r"\d{1,9}(\.\d{1,6})?")


def parse_usd(text: str) -> str:
    """An amount as it is written: no float comes between. Raises ValueError."""
    plain = text.strip().removeprefix("$").replace("_", "")
    if not _USD.fullmatch(plain):
        raise ValueError(f"{text!r} is not an amount such as 5 or 0.50")
    return plain


@click.group(short_help="What is left of budgets; raise one.", invoke_without_command=True)
@click.option("--rule", default="", metavar="RULE", help="Only this budget.")
@shared_options
@click.pass_context
def budgets(ctx: click.Context, rule: str) -> None:
    """What is left of each budget, wherever something was spent of it.

    One line for each amount that a budget limits, the largest share that is used first, at most
    200 scopes. RESERVED is what runs in flight keep and may not need: it is not LEFT.
    """
    if ctx.invoked_subcommand is not None:
        if rule:
            raise Misused("--rule is for the list; `budgets raise` names its rule itself.")
        return
    app = ctx.find_object(App)
    assert app is not None, "the group made it"
    with app.client() as client:
        answer = client.get("/v1/budgets", {"rule": rule})
    found, rules = records(answer, "budgets"), names(answer, "rules")
    match app.output:
        case "json":
            emit(as_json(answer))
        case "csv":
            emit(budgets_csv(found))
        case _ if not found:
            emit(f"{nothing(rules)}\n")
        case _:
            look = app.outside.look()
            last = footer(found, rules, more=answer.get("more") is True)
            folded = wrap(last, look.width) if look.width else [last]
            lines = [*budgets_table(found, look), "", *folded]
            emit("".join(f"{line}\n" for line in lines))


@budgets.command(name="raise", short_help="Add to a budget in one scope.")
@click.argument("rule")
@click.argument("scope_id")
@click.option("--usd", callback=parsed(parse_usd), metavar="AMOUNT", help="US dollars to add.")
@click.option("--tokens", type=click.IntRange(min=1), help="Tokens to add.")
@click.option("--run-time", metavar="30m|2h", help="Run time to add.")
@click.option("--runs", type=click.IntRange(min=1), help="Runs to add.")
@shared_options
@click.pass_obj
def raise_budget(
    app: App,
    rule: str,
    scope_id: str,
    usd: str | None,
    tokens: int | None,
    run_time: str | None,
    runs: int | None,
) -> None:
    """Add to what a budget allows in one scope, for good. The very next start is held against it.

    SCOPE_ID is what `subagentctl budgets` shows under ID: a session, an agent, ...; of a task any
    part of its id that fits only one; '*' for a budget of all callers together. A name that nothing
    is on record of is raised for when it comes, with a note that says so.
    """
    said = {"usd": usd, "tokens": tokens, "run_time": run_time, "runs": runs}
    amounts = {key: value for key, value in said.items() if value is not None}
    if not amounts:
        raise Misused(
            "say what to add: --usd, --tokens, --run-time or --runs. "
            "See `subagentctl budgets raise --help`."
        )
    if app.output == "csv":
        raise Misused("what a raise came to is a sentence or, with -o json, a record; not csv.")
    body: JsonObject = {"rule": rule, "scope_id": scope_id, **amounts}
    with app.client() as client:
        answer = client.post("/v1/budgets/raise", body, timeout=_RAISE_S)
    if app.output == "json":
        emit(as_json(answer))
        return
    emit(f"{raised(nested(answer, 'budget'))}\n")
    if note := remark(answer, "The raise is kept for when it comes."):
        click.echo(f"subagentctl: {note}", err=True)


COMMANDS = (budgets,)
