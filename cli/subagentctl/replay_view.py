"""What a replay comes to, as people read it. Pure: it reads the document that replaying makes."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any

from subagentctl import numbers
from subagentctl.look import Look
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import clean, wrap
from subagentctl.when import span, stamp

Document = Mapping[str, Any]

_RULES = (
    Column(title="RULE", least=12, yields=1),
    Column(title="POLICY", least=8, yields=0, drops=0),
    Column(title="STARTS", right=True),
    Column(title="FIRST", drops=2),
    Column(title="LAST", drops=1),
    Column(title="COST", right=True),
    Column(title="TOKENS", right=True, drops=4),
    Column(title="RUN TIME", right=True, drops=3),
)
_SINGLE = (
    Column(title="AT"),
    Column(title="TASK"),
    Column(title="AGENT", cap=20, least=8, yields=1),
    Column(title="SESSION", cap=20, least=9, yields=0, drops=0, is_id=True),
    Column(title="WHAT", least=10, yields=2),
    Column(title="RULE", least=10, yields=3),
    Column(title="NUMBERS", drops=2),
    Column(title="COST", right=True, drops=1),
)
_ID = 8


def replay_lines(document: Document, look: Look) -> list[str]:
    """First what it comes to, then by rule, then one by one if that was asked for."""
    lines = _folded(_sentence(document), look)
    lines += [line for note in _notes(document) for line in _folded(note, look)]
    rows = [_rule_row(rule, look) for rule in document["by_rule"] if rule["starts"]]
    if document["not_made"]:
        rows.append(_orphans_row(document, look))
    if rows:
        lines += ["", look.paint("WOULD HAVE BEEN REFUSED, by rule", "title")]
        lines += table(_RULES, rows, look)
    observed = [_rule_row(rule, look) for rule in document["observed"] if rule["starts"]]
    if observed:
        title = "WOULD HAVE BEEN RECORDED, and let in: rules that only observe"
        lines += ["", look.paint(title, "title"), *table(_RULES, observed, look)]
    if document.get("single"):
        single = [_single_row(each, look) for each in document["single"]]
        lines += ["", look.paint("ONE BY ONE", "title"), *table(_SINGLE, single, look)]
    return lines


def _sentence(document: Document) -> str:
    since = stamp(datetime.fromisoformat(document["since"]))
    starts, refused = document["starts"], document["refused"]
    name = " and ".join(PurePath(file).name for file in document["files"])
    if not starts:
        return f"No start is on record since {since}."
    many = "the 1 start" if starts == 1 else f"{starts:,} starts"
    if not refused:
        return f"Of {many} since {since}, {clean(name)} would have refused none."
    said = f"Of {many} since {since}, {clean(name)} would have refused {refused:,}"
    said += f" ({_percent(refused, starts)})"
    if made := document["not_made"]:
        said += f", and {made:,} more would not have been made without {_them(refused)}"
    return f"{said}, saving {_usage(document['saved'])}."


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    return "<1 %" if share < 1 else f"{share:.0f} %"


def _usage(saved: Document) -> str:
    """What is known of it, and then of how much of it nothing, or not all, is known."""
    known = [
        *([_cost(saved)] if _is_known(saved, "usd", "cost") else []),
        *([f"{saved['tokens']:,} tokens"] if _is_known(saved, "tokens", "tokens") else []),
        *([f"{span(saved['run_time_s'])} of run time"] if _is_timed(saved) else []),
    ]
    unknown = [
        f"of {_runs(count)} {what} unknown"
        for key, what in (("cost_unknown", "the cost is"), ("tokens_unknown", "the tokens are"))
        if (count := saved[key])
    ]
    if count := saved["run_time_unknown"]:
        unknown.append(f"{_runs(count)} {'is' if count == 1 else 'are'} not over")
    return "; ".join([", ".join(known) or "nobody knows what", *filter(None, [", ".join(unknown)])])


def _is_known(usage: Document, amount: str, what: str) -> bool:
    """Whether anything is known of it: where nothing is, 0 would say too much."""
    return float(usage[amount]) > 0 or usage[f"{what}_unknown"] < usage["runs"]


def _is_timed(usage: Document) -> bool:
    return _is_known(usage, "run_time_s", "run_time")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def _notes(document: Document) -> list[str]:
    notes = []
    refusals = document["refusals"]
    if refusals["on_record"]:
        many = "the 1 refusal" if refusals["on_record"] == 1 else f"{refusals['on_record']:,}"
        noun = "" if refusals["on_record"] == 1 else " refusals"
        note = f"Of {many}{noun} on record it would have let in {refusals['let_in'] or 'none'}"
        cost = "; what those would have cost nobody knows" if refusals["let_in"] else ""
        notes.append(f"{note}{cost}.")
    if past := document["past_the_sidecar"]:
        notes.append(f"Runs that were started past the sidecar, and taken as they came: {past:,}.")
    if document["whole_from"]:
        whole = stamp(datetime.fromisoformat(document["whole_from"]))
        notes.append(
            f"The record is whole from {whole} on: what retention has removed from before is not "
            "replayed, and not counted."
        )
    return notes


def _rule_row(rule: Document, look: Look) -> list[Cell]:
    return [
        cell(rule["rule"]),
        cell(rule["policy"]),
        cell(f"{rule['starts']:,}"),
        _moment(rule["first"], look),
        _moment(rule["last"], look),
        *_amounts(rule["usage"]),
    ]


def _orphans_row(document: Document, look: Look) -> list[Cell]:
    nothing = cell(look.unknown, "dim")
    return [
        cell("(not made without these)", "dim"),
        nothing,
        cell(f"{document['not_made']:,}"),
        nothing,
        nothing,
        *_amounts(document["without_parent"]),
    ]


def _amounts(usage: Document) -> list[Cell]:
    """Followed by ? where it is not all."""
    cost = _cost(usage) if _is_known(usage, "usd", "cost") else ""
    tokens = f"{usage['tokens']:,}" if _is_known(usage, "tokens", "tokens") else ""
    time = span(usage["run_time_s"]) if _is_timed(usage) else ""
    return [
        cell(cost + ("?" if usage["cost_unknown"] else "")),
        cell(tokens + ("?" if usage["tokens_unknown"] else "")),
        cell(time + ("?" if usage["run_time_unknown"] else "")),
    ]


def _cost(usage: Document) -> str:
    return numbers.usd(usage["usd"])


def _moment(at: str | None, look: Look) -> Cell:
    if at is None:
        return cell(look.unknown, "dim")
    return cell(f"{datetime.fromisoformat(at):%m-%d %H:%M:%S}Z")


_WORDS = {
    ("started", "refused"): "refused",
    ("started", "orphaned"): "not made",
    ("started", "let_in"): "recorded",
    ("refused", "let_in"): "let in",
}


def _single_row(one: Document, look: Look) -> list[Cell]:
    nothing = cell(look.unknown, "dim")
    ruled = one["rule"] is not None
    return [
        _moment(one["at"], look),
        cell((one["task_id"] or look.unknown)[-_ID:]),
        cell(one["agent"]),
        cell(one["session"]),
        cell(_WORDS[one["on_record"], one["fate"]] + _times(one)),
        cell(one["rule"]) if ruled else nothing,
        cell(numbers.of_limit(one["what"], one["current"], one["limit"])) if ruled else nothing,
        _amounts(one["usage"])[0] if one["usage"] else nothing,
    ]


def _times(one: Document) -> str:
    times = one.get("times", 1)
    return "" if times == 1 else f", {times:,} times"


def _folded(text: str, look: Look) -> list[str]:
    return wrap(text, look.width) if look.width else [text]
