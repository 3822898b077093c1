"""docs/reference/events.md lists every kind of event that the core enters, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs import repository

from subagent_sidecar import core
from subagent_sidecar.core.acts import ActOutcome
from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.proxy.admin_access import ACCESS
from subagentctl.act_words import ACTS, OUTCOMES
from subagentctl.story import KINDS

PAGE = repository.read("docs/reference/events.md")
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)

ONLY_IN_STREAMS = {"gap"}


def listed() -> set[str]:
    return set(ROW.findall(repository.section(PAGE, "Kinds")))


def words(node: ast.expr) -> Iterator[str]:
    """The texts an expression may stand for. What cannot be told fails the test."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp():
            yield from words(node.body)
            yield from words(node.orelse)
        case _:
            raise AssertionError(f"line {node.lineno}: write the kinds where the event is made")


def entered(source: str) -> Iterator[str]:
    """The kinds of all events made in some code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Event":
            (kind,) = [keyword.value for keyword in node.keywords if keyword.arg == "kind"]
            yield from words(kind)


def test_the_kinds_in_some_code_are_found() -> None:
    code = 'f(Event(at=1, kind="a")); Event(kind="b" if x else "c")'
    assert set(entered(code)) == {"a", "b", "c"}
    with pytest.raises(AssertionError):
        list(entered("Event(kind=kind)"))


def test_every_kind_that_is_entered_is_on_the_page_and_no_other() -> None:
    folder = Path(str(core.__file__)).parent
    kinds = {kind for path in folder.rglob("*.py") for kind in entered(path.read_text("utf-8"))}
    assert listed() == kinds


def test_subagentctl_has_words_for_each_of_them() -> None:
    assert listed() | ONLY_IN_STREAMS == KINDS


def test_subagentctl_has_words_for_every_act_and_every_outcome() -> None:
    assert ACTS.keys() == {access.act for access in ACCESS.values() if access.act is not None}
    assert OUTCOMES.keys() == {outcome.value for outcome in ActOutcome}


def test_every_outcome_of_an_act_is_on_the_page() -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `admin_act`")]
    assert {outcome.value for outcome in ActOutcome} <= set(re.findall(r"`(\w+)`", row))


def test_everybody_who_may_end_a_task_is_on_the_page() -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `ended`")]
    named = re.search(r"`by` \(`([a-z_ ]+)`\)", row)
    assert named is not None
    assert named[1].split() == [by.value for by in EndedBy]
