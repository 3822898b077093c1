"""Policy files that are wrong in one way each: what such a case is, and how one is written."""

from dataclasses import dataclass

COUNT = "is not a whole number from 1 to 1,000,000,000,000"
SPAN = "is not a duration such as 250ms"


@dataclass(frozen=True, slots=True)
class Bad:
    """A file; how its one problem begins, behind the file's name; whether the schema sees it."""

    text: str
    problem: str
    schema_sees: bool = True


def top(line: str, problem: str, *, schema: bool = True) -> Bad:
    return Bad(f"version: 1\n{line}\n", f":2: {problem}", schema)


def _rule(section: str, rule: str, problem: str, schema: bool) -> Bad:
    at = f"{section}[0]" if problem.startswith(":") else f"{section}[0]."
    return Bad(f"version: 1\n{section}:\n  - {{{rule}}}\n", f":3: {at}{problem}", schema)


def limit(rule: str, problem: str, *, schema: bool = True) -> Bad:
    return _rule("limits", rule, problem, schema)


def budget(rule: str, problem: str, *, schema: bool = True) -> Bad:
    return _rule("budgets", rule, problem, schema)


def clock(rule: str, problem: str, *, schema: bool = True) -> Bad:
    return _rule("lifecycle", rule, problem, schema)


def two(section: str, first: str, second: str, problem: str) -> Bad:
    """Two rules, in lines 3 and 4. No schema compares rules."""
    text = f"version: 1\n{section}:\n  - {{{first}}}\n  - {{{second}}}\n"
    return Bad(text, problem, schema_sees=False)
