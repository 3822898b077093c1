"""Which rules a start would meet, as people read it. Pure: it reads the sidecar's answer."""

from collections.abc import Sequence

from subagentctl import fields, numbers
from subagentctl.fields import Record, nested, records
from subagentctl.look import Look
from subagentctl.policy_live import texts
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import clean, wrap

_ASKED = "RULES: every one of them is asked"
_FROZEN = "FROZEN: while that lasts no rule is asked"
_RULES = (
    Column(title="RULE", least=12, yields=2),
    Column(title="POLICY", least=8, yields=1, drops=1),
    Column(title="COUNTS", least=8, yields=3),
    Column(title="PER", drops=3),
    Column(title="ID", cap=24, least=9, yields=0, drops=0, is_id=True),
    Column(title="NOW"),
    Column(title="WITHIN", drops=2),
    Column(title="ASKED OF", drops=1),
    Column(title="VERDICT"),
)
_SETTINGS = (
    Column(title="SETTING"),
    Column(title="VALUE"),
    Column(title="RULE", least=12, yields=0),
    Column(title="POLICY", least=8, drops=0),
    Column(title="MODE"),
)
_REFUSALS = (
    Column(title="AT"),
    Column(title="AGENT", cap=20, least=8, yields=1),
    Column(title="SESSION", cap=20, least=9, yields=0, drops=0, is_id=True),
    Column(title="RULE", least=10, yields=2),
    Column(title="COUNTED"),
    Column(title="NOW"),
    Column(title="VERDICT"),
)
_COUNTS = {
    "concurrent": "unfinished",
    "starts": "started",
    "duplicates": "the same",
    "depth": "how deep",
    "deny": "nothing may",
    "micro_usd": "USD",
    "run_time": "run time",
    "unpriced": "unpriced runs",
}
_VERDICTS = {
    "lets_in": ("lets in", ""),
    "refuses": ("refuses", "alarm"),
    "would_refuse": ("would refuse, observes", "dim"),
}
_WHAT = {
    "start": "A start",
    "repeat": "The same instruction once more",
    "update": "A follow-up",
}
_ASKED_OF = {"start": "starts", "repeat": "repeats", "update": "follow-ups"}
_RUNS = 5
"""The newest of so many runs are told of."""


def explain_lines(answer: Record, look: Look) -> list[str]:
    """Whom it is about, the rules, the settings, what was asked and refused before, the verdict."""
    lines = [look.paint(line, "title") for line in _folded(_whom(answer), look)]
    rules = records(answer, "rules")
    frozen = any(fields.text(rule, "kind") == "freeze" for rule in rules)
    title = _FROZEN if frozen else _ASKED
    lines += _section(title, _RULES, [_rule(each, look) for each in rules], look)
    if not rules:
        lines += ["", "no rule is about it"]
    settings = [_setting(each) for each in records(answer, "lifecycle")]
    lines += _section("LIFECYCLE: when its runs end", _SETTINGS, settings, look)
    lines += _admitted(answer, look)
    refusals = [row for each in records(answer, "decisions") for row in _refusal(each, look)]
    lines += _section("REFUSED LATELY", _REFUSALS, refusals, look)
    return [*lines, "", *_verdicts(answer, look)]


def _section(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], look: Look
) -> list[str]:
    return ["", look.paint(title, "title"), *table(columns, rows, look)] if rows else []


def _whom(answer: Record) -> str:
    call, task = nested(answer, "call"), nested(answer, "task")
    head = f"{fields.text(call, 'agent')} at depth {fields.text(call, 'depth')}"
    rest = ", ".join(
        f"{key} {fields.text(call, key)}" for key in ("session", "supervisor", "upstream")
    )
    said = f"{head}, {rest}"
    if task:
        said = f"task {fields.text(task, 'task_id')} ({fields.text(task, 'status')}): {said}"
    return clean(said)


def _rule(rule: Record, look: Look) -> list[Cell]:
    verdict, style = _VERDICTS.get(fields.text(rule, "verdict"), (fields.text(rule, "verdict"), ""))
    asked = " + ".join(_ASKED_OF.get(each, each) for each in texts(rule, "asked_of"))
    return [
        cell(fields.text(rule, "rule")),
        cell(fields.text(rule, "policy")),
        cell(_counts(rule)),
        cell(fields.text(rule, "scope") or look.unknown),
        cell(fields.text(rule, "scope_id") or look.unknown),
        cell(_now(rule) or look.unknown),
        cell(fields.text(rule, "window") or look.unknown),
        cell(asked),
        cell(verdict, style),
    ]


def _counts(rule: Record) -> str:
    what = fields.text(rule, "what")
    return _COUNTS.get(what, what)


def _now(rule: Record) -> str:
    """`$1.95 of $2.00 ($0.50 reserved), needs $0.10`: what a start wants is said where it is more
    than one."""
    what = fields.text(rule, "what")
    said = numbers.of_limit(what, rule.get("current"), rule.get("limit"))
    if said and fields.number(rule, "reserved"):
        said += f" ({numbers.number(what, rule.get('reserved'))} reserved)"
    wants = rule.get("wants")
    least = what in ("micro_usd", "tokens", "run_time") and fields.number(rule, "wants")
    if not said or not least or least <= (0.000_001 if what != "tokens" else 1):
        return said
    return f"{said}, needs {numbers.number(what, wants)}"


def _setting(setting: Record) -> list[Cell]:
    observes = fields.text(setting, "mode") == "observe"
    return [
        cell(fields.text(setting, "setting")),
        cell(fields.text(setting, "value")),
        cell(fields.text(setting, "rule")),
        cell(fields.text(setting, "policy")),
        cell(fields.text(setting, "mode"), "dim" if observes else ""),
    ]


def _admitted(answer: Record, look: Look) -> list[str]:
    """What was asked when its runs were let in."""
    lines: list[str] = []
    for run in records(nested(answer, "task"), "admitted")[-_RUNS:]:
        at, asked = fields.moment(run, "at"), [_asked(each) for each in records(run, "asked")]
        when = f"{at:%m-%d %H:%M:%S}Z" if at else look.unknown
        said = "; ".join(asked) or "no rule was asked"
        kind = {"start": "start", "update": "follow-up"}.get(fields.text(run, "kind"), "run")
        lines += _folded(clean(f"{when}  {kind}: {said}"), look)
    return ["", look.paint("ASKED WHEN IT WAS LET IN", "title"), *lines] if lines else []


def _asked(one: Record) -> str:
    said = numbers.of_limit(fields.text(one, "what"), one.get("current"), one.get("limit"))
    return f"{fields.text(one, 'rule')} ({_counts(one)}) {said}".rstrip()


def _refusal(decision: Record, look: Look) -> list[list[Cell]]:
    """A row for each rule that spoke against the start; of a refusal the one that refused."""
    at, rule = fields.moment(decision, "at"), fields.text(decision, "rule")
    against = [
        each
        for each in records(decision, "checks")
        if each.get("denies") is True and rule in ("", fields.text(each, "rule"))
    ]
    return [
        [
            cell(f"{at:%m-%d %H:%M:%S}Z" if at else look.unknown),
            cell(fields.text(decision, "agent")),
            cell(fields.text(decision, "session")),
            cell(fields.text(each, "rule")),
            cell(_counts(each)),
            cell(_now(each) or look.unknown),
            cell(f"refused{_times(decision)}" if rule else "let in, recorded"),
        ]
        for each in against
    ]


def _times(decision: Record) -> str:
    times = fields.count(decision, "times")
    return f", {times:,} times" if times and times > 1 else ""


def _verdicts(answer: Record, look: Look) -> list[str]:
    verdicts = nested(answer, "verdicts")
    lines: list[str] = []
    for kind, name in _WHAT.items():
        verdict = nested(verdicts, kind)
        if not verdict or (kind == "repeat" and _same(verdict, nested(verdicts, "start"))):
            continue
        if fields.text(verdict, "message"):
            said, style = f"{name} would be refused: {fields.text(verdict, 'message')}", "alarm"
        else:
            said, style = f"{name} would be let in{_but(verdict)}.", ""
        lines += [look.paint(line, style) for line in _folded(clean(said), look)]
    return lines


def _same(one: Record, other: Record) -> bool:
    return fields.text(one, "message") == fields.text(other, "message")


def _but(verdict: Record) -> str:
    rules = texts(verdict, "would_refuse")
    if not rules:
        return ""
    return f"; {' and '.join(rules)}, which only observe{'s' * (len(rules) == 1)}, would refuse it"


def _folded(text: str, look: Look) -> Sequence[str]:
    return wrap(text, look.width) if look.width and text else [text]
