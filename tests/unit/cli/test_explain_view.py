"""Which rules a start would meet, as people read it; and an answer that is none."""

from typing import Any

import pytest

from subagentctl.explain_view import explain_lines
from subagentctl.look import Look

WIDE = Look(width=None)
REFUSAL = "Not started: at most 3 tasks. (rule places of policy team)"


def row(**changes: Any) -> Any:
    found = {
        "kind": "limit",
        "rule": "places",
        "policy": "team",
        "mode": "enforce",
        "what": "concurrent",
        "scope": "session",
        "scope_id": "s-1",
        "current": 3,
        "wants": 1,
        "limit": 3,
        "window": None,
        "denies": True,
        "verdict": "refuses",
        "asked_of": ["start"],
    }
    return {**found, **changes}


def verdict(message: str | None = None, *would: str) -> Any:
    return {"let_in": message is None, "message": message, "would_refuse": list(would)}


def answer(**changes: Any) -> Any:
    found = {
        "call": {
            "agent": "coder",
            "session": "s-1",
            "supervisor": "ann",
            "upstream": "up",
            "depth": 0,
        },
        "task": None,
        "rules": [row()],
        "lifecycle": [],
        "verdicts": {"start": verdict(REFUSAL)},
        "decisions": [],
    }
    return {**found, **changes}


def lines(**changes: Any) -> list[str]:
    return explain_lines(answer(**changes), WIDE)


def test_under_a_freeze_nobody_says_that_rules_are_asked() -> None:
    frozen = row(kind="freeze", rule="an operator's freeze", policy=None, what="freeze")
    found = lines(rules=[frozen])
    assert "FROZEN: while that lasts no rule is asked" in found
    assert not any("every one" in line for line in found)


def test_whom_it_is_about_stands_first_and_the_verdict_last() -> None:
    found = lines()
    assert found[0] == "coder at depth 0, session s-1, supervisor ann, upstream up"
    assert found[-1] == f"A start would be refused: {REFUSAL}"
    assert lines(verdicts={"start": verdict()})[-1] == "A start would be let in."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            ["places", "team", "unfinished", "session", "s-1", "3 of 3", "—", "starts", "refuses"],
        ),
        (
            {
                "rule": "money",
                "what": "micro_usd",
                "current": "1.950000",
                "limit": "2.000000",
                "wants": "0.100000",
                "window": "1d",
                "verdict": "would_refuse",
                "asked_of": ["start", "update"],
            },
            [
                *("money", "team", "USD", "session", "s-1", "$1.95 of $2.00, needs $0.10", "1d"),
                *("starts + follow-ups", "would refuse, observes"),
            ],
        ),
        (
            {"what": "deny", "current": None, "limit": None, "scope": None, "scope_id": None},
            ["places", "team", "nothing may", "—", "—", "—", "—", "starts", "refuses"],
        ),
        (
            {"what": "tokens", "current": 5, "limit": 9, "wants": 1, "verdict": "lets_in"},
            ["places", "team", "tokens", "session", "s-1", "5 of 9", "—", "starts", "lets in"],
        ),
        (
            {"what": "tokens", "current": 8, "limit": 9, "wants": 4, "reserved": 3},
            [
                *("places", "team", "tokens", "session", "s-1"),
                *("8 of 9 (3 reserved), needs 4", "—", "starts", "refuses"),
            ],
        ),
    ],
)
def test_each_rule_is_a_line(changes: dict[str, Any], expected: list[str]) -> None:
    found = lines(rules=[row(**changes)])
    position = found.index("RULES: every one of them is asked") + 2
    assert [part.strip() for part in found[position].split("  ") if part.strip()] == expected


def test_a_start_that_no_rule_is_about_is_said_to_be_so() -> None:
    assert "no rule is about it" in lines(rules=[], verdicts={"start": verdict()})


def test_a_repeat_is_told_only_where_its_answer_is_another() -> None:
    both = {"start": verdict(REFUSAL), "repeat": verdict(REFUSAL), "update": verdict()}
    assert lines(verdicts=both)[-2:] == [
        f"A start would be refused: {REFUSAL}",
        "A follow-up would be let in.",
    ]
    apart = {"start": verdict(None, "w", "v"), "repeat": verdict(REFUSAL)}
    assert lines(verdicts=apart)[-2:] == [
        "A start would be let in; w and v, which only observe, would refuse it.",
        f"The same instruction once more would be refused: {REFUSAL}",
    ]


def test_settings_runs_and_refusals_are_told_below_the_rules() -> None:
    asked = [{"rule": "places", "what": "concurrent", "current": 0, "limit": 3}]
    run = {"run_id": "r", "kind": "start", "at": "2026-11-23T02:00:00Z", "asked": asked}
    task = {"task_id": "t-1", "status": "running", "admitted": [run, {**run, "asked": []}]}
    setting = {"setting": "run", "value": "1h", "rule": "c", "policy": "team", "mode": "observe"}
    decision = {
        "at": "2026-11-23T02:30:00Z",
        "verdict": "deny",
        "rule": "places",
        "agent": "coder",
        "session": "s-1",
        "checks": [row(), row(rule="other", denies=False)],
    }
    found = lines(task=task, lifecycle=[setting], decisions=[decision])
    assert found[0].startswith("task t-1 (running): coder at depth 0")
    assert ["run", "1h", "c", "team", "observe"] in [line.split() for line in found]
    assert "11-23 02:00:00Z  start: places (unfinished) 0 of 3" in found
    assert "11-23 02:00:00Z  start: no rule was asked" in found
    told = [line.split() for line in found if line.startswith("11-23 02:30:00Z")]
    assert told == [
        ["11-23", "02:30:00Z", "coder", "s-1", "places", "unfinished", "3", "of", "3", "refused"]
    ]


def test_equal_refusals_are_told_with_their_count() -> None:
    decision = {"rule": "a", "checks": [row(rule="a")], "agent": "x", "times": 1234}
    assert any(line.endswith("refused, 1,234 times") for line in lines(decisions=[decision]))


def test_what_was_let_in_and_recorded_is_told_as_that() -> None:
    decision = {"rule": None, "checks": [row(rule="a"), row(rule="b")], "agent": "x"}
    found = [line for line in lines(decisions=[decision]) if line.endswith("let in, recorded")]
    assert len(found) == 2


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"rules": "x", "task": 5, "verdicts": []},
        {"rules": [{}], "lifecycle": [{}], "decisions": [{"checks": [{"denies": True}]}]},
        {"rules": [{"wants": {}, "what": "micro_usd", "current": [], "limit": "x"}]},
        {"task": {"admitted": [{"asked": [{}]}]}, "verdicts": {"start": {"message": 5}}},
    ],
)
def test_whatever_comes_over_the_network_is_no_reason_to_fail(broken: dict[str, Any]) -> None:
    assert explain_lines(broken, Look(width=80))


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    evil = "x\x1b[2J\u202e"
    found = lines(rules=[row(rule=evil, scope_id=evil)], verdicts={"start": verdict(evil)})
    assert not {"\x1b", "\u202e"} & set("".join(found))


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_there_is_room(width: int) -> None:
    found = explain_lines(answer(rules=[row(scope_id="s" * 60, rule="r" * 60)]), Look(width=width))
    assert max(map(len, found)) <= width
