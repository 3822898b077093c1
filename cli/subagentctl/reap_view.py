"""What is to end and why, as a table for people and as CSV for programs. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Sequence

from subagentctl import fields
from subagentctl.fields import Record, short_id
from subagentctl.look import Look
from subagentctl.render import csv_cell
from subagentctl.table import Cell, Column, cell, table

_COLUMNS = (
    Column(title="ID"),
    Column(title="AGENT", cap=20, least=12, yields=1, drops=2),
    Column(title="STATUS", drops=1),
    Column(title="RULE", cap=24, least=10, yields=2),
    Column(title="ACTION", drops=3),
    Column(title="EVIDENCE", ease=48, least=20, stretches=True),
)
_OUTCOME = Column(title="OUTCOME", cap=20)
_DETAIL = Column(title="DETAIL", cap=40, least=12, yields=3, drops=4)
_ACTIONS = {"request_cancel": "cancel", "terminate": "terminate", "abandon": "leave"}
_KEYS = (
    *("task_id", "agent_name", "session_id", "supervisor", "upstream", "status", "run_id"),
    *("rule", "policy", "mode", "key", "action", "evidence", "held", "outcome", "over", "detail"),
)
_BY_HAND_ONLY = (
    "This sidecar ends nothing by itself (reap_interval is 0): only `subagentctl reap` does."
)


def nothing() -> str:
    """What an empty plan says."""
    return "Nothing is to end: no live task is stale or orphaned by the rules in force."


def by_hand_only(answer: Record) -> list[str]:
    """A word where the sidecar ends nothing by itself, whatever the rules say."""
    return [_BY_HAND_ONLY] if answer.get("reap_interval_s") == 0 else []


def reap_table(reaps: Sequence[Record], look: Look, *, planned: bool) -> list[str]:
    """One line for each task and rule. What only observes is in brackets."""
    columns = (*_COLUMNS, *(() if planned else (_OUTCOME,)), _DETAIL)
    return table(columns, [_row(each, planned=planned) for each in reaps], look)


def _row(reap: Record, *, planned: bool) -> list[Cell]:
    rule, status = fields.text(reap, "rule"), fields.text(reap, "status")
    action = fields.text(reap, "action")
    cells = [
        cell(short_id(reap)),
        cell(fields.text(reap, "agent_name")),
        cell(status, status),
        cell(f"({rule})" if _observes(reap) else rule),
        cell(_ACTIONS.get(action, action)),
        cell(fields.text(reap, "evidence")),
    ]
    if not planned:
        calm = not _is_to_end(reap) or reap.get("over") is True
        cells.append(cell(fields.text(reap, "outcome"), "" if calm else "alarm"))
    return [*cells, cell(fields.text(reap, "detail"))]


def _observes(reap: Record) -> bool:
    return fields.text(reap, "mode") == "observe"


def _is_to_end(reap: Record) -> bool:
    return not _observes(reap) and fields.text(reap, "action") != "abandon"


def all_over(reaps: Sequence[Record]) -> bool:
    """Whether everything that was to end has."""
    return all(each.get("over") is True for each in reaps if _is_to_end(each))


def summary(reaps: Sequence[Record], *, planned: bool) -> str:
    """`2 tasks to end, 1 held, 1 observed only.`, or how those that were to end ended."""
    ending = [each for each in reaps if _is_to_end(each)]
    if planned:
        held = sum(each.get("held") is True for each in ending)
        parts = [f"{_tasks(len(ending))} to end"] + [f"{held:,} held for now"] * bool(held)
    else:
        counts = Counter(fields.text(each, "outcome") for each in ending)
        parts = [f"{count:,} {outcome}" for outcome, count in counts.items()]
    left = sum(fields.text(each, "action") == "abandon" for each in reaps if not _observes(each))
    observed = sum(map(_observes, reaps))
    parts += [f"{left:,} left to itself"] * bool(left)
    parts += [f"{observed:,} observed only"] * bool(observed)
    told = f"{', '.join(parts)}."
    return told if planned or all_over(reaps) else f"{told} The sidecar keeps trying."


def _tasks(count: int) -> str:
    return f"{count:,} task{'' if count == 1 else 's'}"


def reap_csv(reaps: Sequence[Record]) -> str:
    """RFC 4180 with a header, one line for each task and rule."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_KEYS)
    writer.writerows([_plain(each.get(key)) for key in _KEYS] for each in reaps)
    return out.getvalue()


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else csv_cell(value)
