"""How budgets stand, as a table for people and as CSV and JSON for programs. Pure."""

import csv
import io
from collections.abc import Iterator, Sequence
from math import isfinite

from subagentctl.fields import Record, count, nested, number, text
from subagentctl.look import Look
from subagentctl.render import csv_cell
from subagentctl.table import Cell, Column, cell, table
from subagentctl.when import span

_COLUMNS = (
    Column(title="RULE", least=9, yields=2),
    Column(title="PER"),
    Column(title="ID", least=9, yields=1, is_id=True),
    Column(title="WHAT"),
    Column(title="SPENT", right=True),
    Column(title="RESERVED", right=True, drops=4),
    Column(title="LIMIT", right=True),
    Column(title="LEFT", right=True, drops=3),
    Column(title="SHARE", right=True, drops=2),
    Column(title="WINDOW", drops=1),
    Column(title="STATE"),
)
_AMOUNTS = ("usd", "tokens", "run_time", "runs")
_STYLES = {"exhausted": "alarm", "unpriced": "alarm", "near": "waiting", "reserved": "waiting"}
_FLAT = ("rule", "policy", "mode", "scope", "scope_id", "window", "on_exhausted", "state", "share")
_NUMBERS = ("used", "spent", "reserved", "limit", "raised", "remaining", "reserving", "at_least")
_RESERVED = next(index for index, column in enumerate(_COLUMNS) if column.title == "RESERVED")


def budgets_table(budgets: Sequence[Record], look: Look) -> list[str]:
    """One line for each amount that a budget limits, in each scope. What is reserved has a column
    while there is any."""
    found = list(_amounts(budgets))
    rows = [_row(budget, what, amount, look) for budget, what, amount in found]
    if any(number(amount, "reserved") for _, _, amount in found):
        return table(_COLUMNS, rows, look)
    columns = [column for index, column in enumerate(_COLUMNS) if index != _RESERVED]
    return table(columns, [[*row[:_RESERVED], *row[_RESERVED + 1 :]] for row in rows], look)


def footer(budgets: Sequence[Record], rules: Sequence[str], *, more: bool) -> str:
    """How many there are, and which budgets nothing was spent of."""
    scopes = len(budgets)
    parts = [f"{scopes:,} scope{'' if scopes == 1 else 's'} of {_count(len(rules), 'budget')}."]
    if more:
        parts.append("Those that have used least of theirs are left out; --rule shows one budget.")
    if any(text(each, "mode") == "observe" for each in budgets):
        parts.append("A budget in brackets only observes.")
    if any(amount.get("at_least") is True for _, _, amount in _amounts(budgets)):
        parts.append(
            "What says `at least` is not known: a model had no price. Give it one in the policy's "
            "`prices`, and reload."
        )
    used = {text(budget, "rule") for budget in budgets}
    if idle := [rule for rule in rules if rule not in used]:
        parts.append(f"Nothing is spent of: {cell(', '.join(idle)).text}.")
    return " ".join(parts)


def nothing(rules: Sequence[str]) -> str:
    """What an empty table says."""
    if not rules:
        return "No budget is in force; `subagentctl policy show` tells what is."
    return f"Nothing is spent yet of {cell(', '.join(rules)).text}."


def raised(budget: Record) -> str:
    """`session-usd (session s1): $8.00, of which $4.60 is spent`, and what that does not help."""
    said = [
        f"{_shown(what, amount, 'limit')}, of which {_spent(what, amount)} is spent"
        + (f" and {_shown(what, amount, 'reserved')} reserved" if _reserves(amount) else "")
        for _, what, amount in _amounts([budget])
    ]
    place = f"{text(budget, 'scope')} {text(budget, 'scope_id')}"
    return cell(f"{text(budget, 'rule')} ({place}): {'; '.join(said)}{_still(budget)}").text


def _still(budget: Record) -> str:
    """Why nothing starts all the same: whoever raised it looks away now."""
    if text(budget, "mode") == "observe":
        return ""
    match text(budget, "state"):
        case "exhausted":
            return ". That is not enough: it stays closed"
        case "unpriced":
            runs = _count(count(budget, "unpriced") or 1, "run")
            return (
                f". It stays closed all the same, for nobody knows what {runs} cost: give the "
                "model a price in the policy's `prices`, and reload"
            )
        case _:
            return ""


def budgets_csv(budgets: Sequence[Record]) -> str:
    """RFC 4180 with a header, one line for each amount."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((*_FLAT, "what", *_NUMBERS))
    for budget, what, amount in _amounts(budgets):
        known = [csv_cell(budget.get(key)) for key in _FLAT]
        writer.writerow([*known, csv_cell(what), *(csv_cell(amount.get(key)) for key in _NUMBERS)])
    return out.getvalue()


def _amounts(budgets: Sequence[Record]) -> Iterator[tuple[Record, str, Record]]:
    for budget in budgets:
        amounts = nested(budget, "amounts")
        known = [what for what in _AMOUNTS if what in amounts]
        for what in [*known, *(what for what in amounts if what not in _AMOUNTS)]:
            yield budget, what, nested(amounts, what)


def _row(budget: Record, what: str, amount: Record, look: Look) -> list[Cell]:
    state, rule = text(budget, "state"), text(budget, "rule")
    observing = text(budget, "mode") == "observe"
    return [
        cell(f"({rule})", "dim") if observing else cell(rule),
        cell(text(budget, "scope")),
        cell(text(budget, "scope_id")),
        cell(what),
        cell(_spent(what, amount)),
        cell(_reserved(what, amount) or look.unknown),
        cell(_shown(what, amount, "limit")),
        cell(_left(what, amount)),
        cell(_share(amount)),
        cell(text(budget, "window") or look.unknown),
        cell(_state(budget), _STYLES.get(state, "")),
    ]


def _spent(what: str, amount: Record) -> str:
    """`at least $0.00`: a sum is not known where something in it has no price."""
    shown = _shown(what, amount, "spent" if "spent" in amount else "used")
    return f"at least {shown}" if amount.get("at_least") is True else shown


def _reserved(what: str, amount: Record) -> str:
    """`$0.20 (2 runs)`; nothing where nothing is reserved."""
    if not _reserves(amount):
        return ""
    runs = count(amount, "reserving")
    return _shown(what, amount, "reserved") + (f" ({_count(runs, 'run')})" if runs else "")


def _reserves(amount: Record) -> bool:
    return bool(number(amount, "reserved"))


def _left(what: str, amount: Record) -> str:
    shown = _shown(what, amount, "remaining")
    unsure = amount.get("at_least") is True and number(amount, "remaining") != 0
    return f"at most {shown}" if unsure else shown


def _state(budget: Record) -> str:
    """`unpriced (2 runs)`: so many used a model without a price."""
    state, runs = text(budget, "state"), count(budget, "unpriced")
    return f"{state} ({_count(runs, 'run')})" if state == "unpriced" and runs else state


def _shown(what: str, amount: Record, key: str) -> str:
    value = number(amount, key)
    if value is None or not isfinite(value):
        return "?"
    match what:
        case "usd":
            return _dollars(value)
        case "run_time":
            return span(value)
        case _:
            return f"{value:,}"


def _dollars(value: float) -> str:
    """Cents, and what is exact beyond them to the millionth."""
    whole, _, rest = f"{value:,.6f}".partition(".")
    return f"${whole}.{rest[:2]}{rest[2:].rstrip('0')}"


def _share(amount: Record) -> str:
    used, limit = number(amount, "used"), number(amount, "limit")
    if amount.get("at_least") is True or used is None or not limit or not isfinite(used / limit):
        return "?"
    return f"{100 * used / limit:.0f}%"


def _count(number_of: int, noun: str) -> str:
    return f"{number_of:,} {noun}{'' if number_of == 1 else 's'}"


def names(answer: Record, key: str) -> list[str]:
    value = answer.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
