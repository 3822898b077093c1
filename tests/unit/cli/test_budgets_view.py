"""How budgets stand, as text."""

import csv
import io
from typing import Any

import pytest

from subagentctl.budgets_view import budgets_csv, budgets_table, footer, raised
from subagentctl.look import Look


def row(**fields: Any) -> dict[str, Any]:
    amount = {"used": 1, "limit": 4, "raised": 0, "remaining": 3}
    usual = {"rule": "r", "scope": "session", "scope_id": "s", "state": "ok", "mode": "enforce"}
    return {**usual, "amounts": {"runs": amount}, **fields}


@pytest.mark.parametrize(
    ("what", "amount", "shown"),
    [
        ("usd", {"used": "0.000001", "limit": "5.000000"}, "$0.000001 $5.00"),
        ("usd", {"used": "1234.500000", "limit": "5000.123456"}, "$1,234.50 $5,000.123456"),
        ("tokens", {"used": 1_200_000, "limit": 2_000_000}, "1,200,000 2,000,000"),
        ("run_time", {"used": 0.25, "limit": 90_000.0}, "0.2s 1d 1h"),
        ("runs", {"used": 3, "limit": 10}, "3 10"),
        ("tomorrow", {"used": 1, "limit": 2}, "1 2"),
        ("usd", {"used": "nan", "limit": None}, "? ?"),
    ],
)
def test_amounts_are_shown_in_their_units(what: str, amount: dict[str, Any], shown: str) -> None:
    _, line = budgets_table([row(amounts={what: amount})], Look())
    assert f" {what} {shown} " in " ".join(line.split())


def test_a_limit_of_nothing_has_no_share() -> None:
    [_, line] = budgets_table([row(amounts={"runs": {"used": 1, "limit": 0}})], Look())
    assert "%" not in line


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_fits_and_says_what_and_how_it_stands(width: int) -> None:
    budgets = [row(rule="a-budget-with-a-long-name", scope_id="0" * 36, state="exhausted")]
    lines = budgets_table(budgets, Look(width=width))
    assert all(len(line) <= width for line in lines)
    assert "exhausted" in lines[1] and "runs" in lines[1]


def test_one_scope_of_one_budget_is_not_several() -> None:
    assert footer([row()], ["r"], more=False) == "1 scope of 1 budget."


def test_a_raise_names_every_amount() -> None:
    assert raised(row()) == "r (session s): 4, of which 1 is spent"
    usd = {"spent": "0.50", "reserved": "0.25", "limit": "4.00"}
    said = "r (session s): $4.00, of which $0.50 is spent and $0.25 reserved"
    assert raised(row(amounts={"usd": usd})) == said


@pytest.mark.parametrize(
    ("state", "mode", "end"),
    [
        ("ok", "enforce", "1 is spent"),
        ("exhausted", "enforce", ". That is not enough: it stays closed"),
        ("unpriced", "enforce", "give the model a price in the policy's `prices`, and reload"),
        ("exhausted", "observe", "1 is spent"),
    ],
)
def test_a_raise_that_opens_nothing_says_so(state: str, mode: str, end: str) -> None:
    assert raised(row(state=state, mode=mode, unpriced=2)).endswith(end)


def test_nothing_left_is_nothing_left_whatever_is_not_known() -> None:
    spent = {"usd": {"used": "7.00", "limit": "5", "remaining": "0.00", "at_least": True}}
    line = " ".join(budgets_table([row(amounts=spent)], Look())[1].split())
    assert "at least $7.00 $5.00 $0.00" in line


RESERVED = {"usd": {"used": "0.75", "spent": "0.50", "reserved": "0.25", "reserving": 2}}
UNKNOWN = {"usd": {"used": "0.00", "limit": "5", "remaining": "5", "at_least": True}}


def test_what_is_reserved_has_a_column_while_there_is_any() -> None:
    head, line, other = budgets_table([row(amounts=RESERVED), row()], Look())
    assert head.split()[4:6] == ["SPENT", "RESERVED"]
    assert "usd $0.50 $0.25 (2 runs) " in " ".join(line.split())
    assert "runs 1 — 4" in " ".join(other.split())
    assert "RESERVED" not in budgets_table([row()], Look())[0]


def test_what_is_not_known_is_not_shown_as_a_sum() -> None:
    budget = row(amounts=UNKNOWN, state="unpriced", unpriced=2)
    _, line = budgets_table([budget], Look())
    said = " ".join(line.split())
    assert "usd at least $0.00 $5.00 at most $5.00 ? — unpriced (2 runs)" in said
    assert "Give it one in the policy's `prices`" in footer([budget], ["r"], more=False)


def test_a_spreadsheet_runs_nothing_of_it() -> None:
    text = budgets_csv([row(scope_id="=cmd|' /C calc'!A0", rule="+r")])
    [cells] = list(csv.DictReader(io.StringIO(text)))
    assert cells["scope_id"].startswith("'=") and cells["rule"] == "'+r"


def test_whatever_comes_over_the_network_makes_a_table() -> None:
    odd: list[dict[str, Any]] = [{}, {"amounts": 1}, row(amounts={"usd": 7}), row(rule=None)]
    assert len(budgets_table(odd, Look())) == 3
    assert "\x1b" not in "".join(budgets_table([row(scope_id="\x1b[2J")], Look()))
