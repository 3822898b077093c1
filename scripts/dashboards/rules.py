"""What the alert rules say: where a figure is too much, and what to do then."""

import math
import operator
import re
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

ROOT = Path(__file__).resolve().parents[2]
_ALERTS = ROOT / "dashboards" / "alerts" / "alerts.yaml"
_RUNBOOKS = ROOT / "docs" / "runbooks.md"
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
_CALCULATE = {"*": operator.mul, "/": operator.truediv}
_COMPARE = {">", "<", "=="}


@cache
def alerts() -> dict[str, Any]:
    """The alert rules by their names, in their order."""
    groups = yaml.safe_load(_ALERTS.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def threshold(alert: str) -> float:
    """The first number that an alert compares with."""
    found = _compared(promql.parse(alerts()[alert]["expr"]))
    if found is None:
        raise ValueError(f"{alert} compares with no number")
    return found


def _compared(expression: Any) -> float | None:
    match expression:
        case promql.ParenExpr():
            return _compared(expression.expr)
        case promql.BinaryExpr() if str(expression.op) in _COMPARE:
            return _number(expression.rhs)
        case promql.BinaryExpr():
            left = _compared(expression.lhs)
            return _compared(expression.rhs) if left is None else left
        case _:
            return None


def _number(expression: Any) -> float | None:
    match expression:
        case promql.NumberLiteral():
            return float(expression.val)
        case promql.BinaryExpr() if str(expression.op) in _CALCULATE:
            left, right = _number(expression.lhs), _number(expression.rhs)
            if left is None or right is None:
                return None
            return float(_CALCULATE[str(expression.op)](left, right))
        case _:
            return None


@cache
def runbooks() -> dict[str, str]:
    """What docs/runbooks.md says to do, by alert, in Markdown that can be read away from there."""
    parts = re.split(r"^## (\w+)\n", _RUNBOOKS.read_text("utf-8"), flags=re.MULTILINE)
    return {
        name: _detached(text).strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def _detached(text: str) -> str:
    """Links to other pages as their text, and where they lead."""

    def told(link: re.Match[str]) -> str:
        words, target = link[1], link[2].split("#")[0]
        if not target or words == target:
            return words
        return f"{words} (docs/{target})"

    return _LINK.sub(told, text)


def finite(value: float) -> float:
    """As JSON has it: whole numbers without a fraction."""
    return int(value) if math.isfinite(value) and value == int(value) else value
