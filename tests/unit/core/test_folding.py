"""Refusals that are alike are one record with a count, and none is lost from it."""

from typing import Any

import pytest
from tests.support.books import Story, at

from subagent_sidecar.core.changes import StartRefused
from subagent_sidecar.core.decisions import Decision, Verdict
from subagent_sidecar.core.folding import APART, Folds, enter
from subagent_sidecar.core.matching import Call, Scope
from subagent_sidecar.core.policy import Mode
from subagent_sidecar.core.verdict import Check

CALL: dict[str, Any] = {"agent": "coder", "upstream": "up", "supervisor": "ann", "session": "s"}


def refusal(second: float = 1, *, rule: str = "few", thread: str | None = None, **call: Any) -> Any:
    asked = Call(**{**CALL, **call})
    check = Check(
        rule=rule,
        policy="p",
        mode=Mode.ENFORCE,
        what="concurrent",
        limit=1,
        current=round(second),
        denies=True,
        scope=Scope.SESSION,
        scope_id=asked.session,
    )
    decision = Decision(
        at=at(second),
        intent_id=f"i{second}",
        verdict=Verdict.DENY,
        call=asked,
        checks=(check,),
        thread_id=thread,
        rule=rule,
    )
    return StartRefused(decision=decision, check=check, code="limit_concurrent")


def test_the_first_is_on_record_at_once_and_the_rest_together() -> None:
    folds = Folds()
    first = refusal(1)
    assert folds.refused(first) is first
    assert [folds.refused(refusal(second)) for second in (2, 3, 4)] == [None] * 3
    [rest] = folds.round_over()
    assert (rest.decision.times, rest.decision.at, rest.decision.until) == (3, at(2), at(4))
    assert rest.check.current == 4
    assert list(folds.round_over()) == []


def test_one_that_comes_again_once_is_a_record_as_any_other() -> None:
    folds = Folds()
    folds.refused(refusal(1))
    folds.refused(again := refusal(2))
    assert list(folds.round_over()) == [again]


def test_a_kind_is_new_again_after_a_round_without_it() -> None:
    folds = Folds()
    folds.refused(refusal(1))
    folds.refused(refusal(2))
    folds.round_over()
    assert folds.refused(refusal(3)) is None
    folds.round_over()
    assert folds and not folds.round_over() and not folds
    assert folds.refused(refusal(4)) is not None


def test_what_is_asked_for_in_the_middle_of_a_round_is_not_told_twice() -> None:
    folds = Folds()
    folds.refused(refusal(1))
    folds.refused(refusal(2))
    assert len(folds.pending()) == 1
    assert not folds.pending() and not folds.round_over()


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "other"},
        {"session": "t"},
        {"agent": "writer"},
        {"upstream": "b"},
        {"supervisor": "bob"},
        {"depth": 1},
        {"task_id": "t"},
    ],
    ids=str,
)
def test_what_differs_in_what_matters_is_another_record(other: dict[str, Any]) -> None:
    folds = Folds()
    folds.refused(refusal(1))
    assert folds.refused(refusal(2, **other)) is not None


def test_instructions_and_threads_that_differ_are_not_known_of_several() -> None:
    folds = Folds()
    folds.refused(refusal(1, thread="a", fingerprint="x"))
    for second, (thread, fingerprint) in enumerate((("b", "y"), ("c", "y")), 2):
        folds.refused(refusal(second, thread=thread, fingerprint=fingerprint))
    [rest] = folds.pending()
    assert (rest.decision.thread_id, rest.decision.call.fingerprint) == (None, "y")
    folds.refused(refusal(5, thread="d", fingerprint="x"))
    folds.refused(refusal(6, thread="d", fingerprint="y"))
    [rest] = folds.pending()
    assert (rest.decision.thread_id, rest.decision.call.fingerprint) == ("d", None)


def test_names_that_a_caller_makes_up_do_not_make_records_without_end() -> None:
    folds, told = Folds(), []
    for number in range(1_000):
        if (one := folds.refused(refusal(number, session=f"s{number}"))) is not None:
            told.append(one)
    assert len(told) == APART + 1
    [rest] = folds.round_over()
    assert rest.decision.times == 1_000 - len(told)
    assert (rest.decision.call.session, rest.check.scope_id) == ("*", "*")
    assert rest.decision.call.agent == "coder"


def test_none_is_lost_from_the_counts() -> None:
    folds, counted = Folds(), 0
    for number in range(5_000):
        kind = refusal(number, session=f"s{number * 7 % 130}", rule=f"r{number % 3}")
        if (one := folds.refused(kind)) is not None:
            counted += one.decision.times
        if number % 997 == 0:
            counted += sum(one.decision.times for one in folds.round_over())
    counted += sum(one.decision.times for one in folds.pending())
    assert counted == 5_000


def test_several_are_one_decision_and_one_event_with_the_count() -> None:
    story = Story()
    folds = Folds()
    for second in (1, 2, 3):
        if (one := folds.refused(refusal(second, thread="t"))) is not None:
            enter(story.tables, one)
    for one in folds.pending():
        enter(story.tables, one)
    assert [decision.times for decision in story.tables.decisions] == [1, 2]
    single, several = story.tables.events
    assert (single.at, several.at, several.task_id) == (at(1), at(3), "t")
    assert "times" not in single.detail
    assert (several.detail["times"], several.detail["first_at"]) == (2, at(2))
