"""A policy as tables. Pure: it reads the document that says the policy in its own language."""

from collections.abc import Mapping, Sequence
from typing import Any

from subagentctl.look import Look
from subagentctl.table import Cell, Column, cell, table
from subagentctl.text import clean, wrap

Rule = Mapping[str, Any]

_HEAD = ("name", "policy", "mode", "match")
_AMOUNTS = ("usd", "tokens", "run_time", "runs")
_KINDS = ("concurrent", "starts", "duplicates", "depth", "deny")
_NAMES = {"limits": "limit", "budgets": "budget", "lifecycle": "lifecycle rule"}
_USUAL_SOFT = 0.8

_RULE = Column(title="RULE", least=12, yields=2)
_POLICY = Column(title="POLICY", least=8, yields=1, drops=1)
_MODE = Column(title="MODE")
_MOST = Column(title="AT MOST", least=12, yields=3)
_PER = Column(title="PER")
_HOW = Column(title="HOW", least=20, yields=0, drops=2)
_SETTING = Column(title="SETTING")
_VALUE = Column(title="VALUE")
_WHOM = Column(title="WHOM", ease=20, least=8, stretches=True)

_TABLES = (
    ("limits", "LIMITS: every one that matches is asked", (_MODE, _MOST, _PER, _WHOM)),
    ("budgets", "BUDGETS: every one that matches is asked", (_MODE, _MOST, _PER, _HOW, _WHOM)),
    (
        "lifecycle",
        "LIFECYCLE: of each setting the last that matches holds",
        (_MODE, _SETTING, _VALUE, _WHOM),
    ),
)


def policy_lines(
    policy: Rule, files: Sequence[str], origins: Mapping[str, str], look: Look
) -> list[str]:
    """A table for each kind of rule there is, and the rest in a few lines. POLICY is shown where
    there are several."""
    head = (_RULE, _POLICY) if len(files) > 1 else (_RULE,)
    lines = _painted(clean(", ".join(files)), "title", look)
    for section, title, columns in _TABLES:
        rules: list[Rule] = [{**rule, "policy": origins[rule["name"]]} for rule in policy[section]]
        if section == "lifecycle":
            rules = [each for rule in rules for each in _settings(rule)]
        if rules:
            shown = (*head, *columns)
            rows = [[_cell(column.title, rule, look) for column in shown] for rule in rules]
            lines += ["", *_painted(title, "title", look), *table(shown, rows, look)]
    rest = [*_rest(policy), *_notes(policy, look)]
    lines += ["", *rest, ""] if rest else [""]
    return [*lines, *_painted(summary(policy), "dim", look)]


def _settings(rule: Rule) -> list[Rule]:
    """A row for each thing it sets."""
    head = {key: value for key, value in rule.items() if key in _HEAD}
    said = [(key, value) for key, value in rule.items() if key not in _HEAD]
    return [{**head, "setting": key, "value": value} for key, value in said]


def summary(policy: Rule) -> str:
    """`9 limits, 5 budgets, 1 lifecycle rule`, and how many of them only observe."""
    counts = [
        f"{count} {name}{'' if count == 1 else 's'}"
        for section, name in _NAMES.items()
        if (count := len(policy[section]))
    ]
    rules = [rule for section in _NAMES for rule in policy[section]]
    observing = sum(rule["mode"] == "observe" for rule in rules)
    note = f" ({observing} of them only observing)" if observing else ""
    return (", ".join(counts) or "no rules") + note


def _cell(title: str, rule: Rule, look: Look) -> Cell:
    match title:
        case "RULE":
            return cell(rule["name"])
        case "MODE":
            return cell(rule["mode"], "dim" if rule["mode"] == "observe" else "")
        case "PER":
            return cell(rule["per"]) if "per" in rule else cell(look.unknown, "dim")
        case "AT MOST":
            return cell(_limit(rule) or _amounts(rule))
        case "HOW":
            return cell(_how(rule))
        case "WHOM":
            return cell(_whom(rule)) if "match" in rule else cell("everybody", "dim")
        case _:
            return cell(rule[title.lower()])


def _limit(rule: Rule) -> str:
    kind = next((kind for kind in _KINDS if kind in rule), "")
    within = f" in {rule['window']}" if "window" in rule else ""
    match kind:
        case "concurrent":
            return f"{rule[kind]:,} at a time"
        case "starts":
            return f"{rule[kind]:,} start{'' if rule[kind] == 1 else 's'}{within}"
        case "duplicates":
            return f"{rule[kind]:,} of the same{within}"
        case "depth":
            return f"depth {rule[kind]}"
        case "deny":
            return "none at all"
        case _:
            return ""


def _amounts(rule: Rule) -> str:
    said = [_amount(key, rule[key]) for key in _AMOUNTS if key in rule]
    return ", ".join(said) + (f" in {rule['window']}" if "window" in rule else "")


def _amount(key: str, value: Any) -> str:
    match key:
        case "usd":
            return f"${_short(value)}"
        case "run_time":
            return f"{value} of run time"
        case _:
            return f"{value:,} {key}"


def _short(usd: str) -> str:
    """Cents, and what is exact beyond them."""
    whole, _, rest = usd.partition(".")
    return f"{int(whole):,}.{rest[:2]}{rest[2:].rstrip('0')}"


def _how(rule: Rule) -> str:
    said = [rule["on_exhausted"]]
    if "reserve" in rule:
        held = ", ".join(_amount(key, value) for key, value in rule["reserve"].items())
        said.append(f"reserve {held}")
    if "on_unpriced" in rule:
        said.append(f"unpriced: {_unpriced(rule['on_unpriced'])}")
    if rule["soft_at"] != _USUAL_SOFT:
        said.append(f"soft at {rule['soft_at']:.6g}")
    return ", ".join(said)


def _unpriced(value: str) -> str:
    _, colon, usd = value.partition(":")
    return f"${_short(usd)}" if colon else value


def _whom(rule: Rule) -> str:
    return ", ".join(f"{key} {_either(value)}" for key, value in rule["match"].items())


def _either(value: Any) -> str:
    return " or ".join(value) if isinstance(value, list) else str(value)


def _rest(policy: Rule) -> list[str]:
    said = {
        "coalesce": policy.get("polling", {}).get("coalesce"),
        "on_store_error": policy.get("on_store_error"),
        "prices": ", ".join(map(clean, policy.get("prices", {}))),
    }
    return [f"{key:<16}{value}" for key, value in said.items() if value]


def _notes(policy: Rule, look: Look) -> list[str]:
    """What the operator has to say to refused models."""
    rules = [*policy["limits"], *policy["budgets"]]
    return [
        line
        for rule in rules
        if "message" in rule
        for line in _folded(f"{rule['name']} says: {clean(rule['message'])}", look)
    ]


def _painted(text: str, style: str, look: Look) -> list[str]:
    return [look.paint(line, style) for line in _folded(text, look)]


def _folded(text: str, look: Look) -> list[str]:
    return wrap(text, look.width) if look.width else [text]
