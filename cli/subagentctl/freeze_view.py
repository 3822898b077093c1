"""What is frozen, in words. Pure."""

from collections.abc import Sequence
from datetime import datetime

from subagentctl.fields import Record, moment, text
from subagentctl.look import Look
from subagentctl.table import Cell, Column, cell, table
from subagentctl.when import age

_COLUMNS = (
    Column(title="FROZEN", least=12, yields=1),
    Column(title="SINCE", right=True),
    Column(title="REASON", ease=20, least=8, drops=1, stretches=True),
)


def place_of(freeze: Record) -> str:
    """`all starts`, `agent coder`."""
    scope = text(freeze, "scope")
    return "all starts" if scope == "all" else cell(f"{scope} {text(freeze, 'id')}").text


def frozen_lines(freezes: Sequence[Record], now: datetime, look: Look) -> list[str]:
    """A table of what is frozen, or that nothing is."""
    if not freezes:
        return ["Nothing is frozen."]
    return table(_COLUMNS, [_row(freeze, now, look) for freeze in freezes], look)


def _row(freeze: Record, now: datetime, look: Look) -> list[Cell]:
    since = age(moment(freeze, "at"), now)
    reason = text(freeze, "reason")
    return [
        cell(place_of(freeze)),
        cell(f"{since} ago" if since else look.unknown),
        cell(reason) if reason else cell(look.unknown, "dim"),
    ]
