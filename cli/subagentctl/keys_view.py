"""Keys of supervisors, in words. Pure."""

from collections.abc import Sequence
from datetime import datetime

from subagentctl.fields import Record, count, moment, records, text
from subagentctl.look import Look
from subagentctl.policy_live import texts
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import clean
from subagentctl.when import age, span

_COLUMNS = (
    Column(title="KEY"),
    Column(title="SUPERVISOR", least=8, yields=1),
    Column(title="STATE"),
    Column(title="MAY START", ease=16, least=8, stretches=True, drops=2),
    Column(title="SEES", drops=3),
    Column(title="MADE", right=True, drops=1),
    Column(title="EXPIRES", right=True),
)
_STYLES = {"live": "", "expired": "dim", "revoked": "dim"}


def keys_lines(keys: Sequence[Record], now: datetime, look: Look) -> list[str]:
    """A table of keys, or that there are none."""
    if not keys:
        return ["There are no keys. `subagentctl keys create NAME` makes one."]
    return table(_COLUMNS, [_row(key, now, look) for key in keys], look)


def _row(key: Record, now: datetime, look: Look) -> list[Cell]:
    made = age(moment(key, "created_at"), now)
    state = text(key, "state")
    return [
        cell(text(key, "key_id")),
        cell(text(key, "name")),
        cell(state, _STYLES.get(state, "")),
        cell(_agents(key)),
        cell("every task" if key.get("every_task") is True else "its own"),
        cell(f"{made} ago" if made else look.unknown),
        cell(_expires(key, now)),
    ]


def _agents(key: Record) -> str:
    agents = texts(key, "agents")
    return "all" if "*" in agents else ", ".join(agents)


def _expires(key: Record, now: datetime) -> str:
    at = moment(key, "expires_at")
    if at is None:
        return "never"
    left = (at - now).total_seconds()
    return f"in {span(left)}" if left > 0 else f"{age(at, now)} ago"


def advice(key: Record, *, asked: bool) -> list[str]:
    """What to do with a new key, and what not to expect. `asked`: whether keys are asked for."""
    until = text(key, "expires_at")
    lines = [
        f"key {text(key, 'key_id')} of supervisor {text(key, 'name')}, shown this once"
        + (f"; it expires at {until[:19]}Z." if until else "."),
        "Send it as x-subagent-key, as x-api-key or as `Authorization: Bearer`. deepagents: "
        'headers={"x-subagent-key": KEY} of each AsyncSubAgent, or LANGSMITH_API_KEY in its '
        "environment; spans: OTEL_EXPORTER_OTLP_HEADERS=x-subagent-key=KEY.",
    ]
    return [clean(line) for line in (lines if asked else [*lines, remark()])]


def remark() -> str:
    return (
        "note: this sidecar runs with auth off and asks nobody for a key; `subagent-sidecar serve "
        "--auth on` does."
    )


def revoked_lines(answer: Record) -> list[str]:
    """One line for each key that was meant, and whether it changed anything."""
    if not count(answer, "changed"):
        return [clean(f"{_named(key)} was revoked before") for key in records(answer, "revoked")]
    return [clean(f"revoked: {_named(key)}") for key in records(answer, "revoked")]


def _named(key: Record) -> str:
    return f"key {text(key, 'key_id')} of supervisor {text(key, 'name')}"
