"""What is told of the rules that a start would meet."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.books import Story, at
from tests.support.counting import Counted
from tests.support.past import rules

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.matching import Call, Scope
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.standing import (
    REPEAT,
    START,
    UPDATE,
    admitted_words,
    calls_about,
    lifecycle_words,
    rules_words,
    verdict_words,
)
from subagent_sidecar.core.verdict import Allow, Deny, Freeze
from subagent_sidecar.policy_file import find, load

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
CALL = Call(agent="coder", upstream="up", supervisor="ann", session="s", fingerprint="f")


def verdict(policy: Policy, call: Call = CALL, counted: Counted | None = None) -> Allow | Deny:
    return decide(policy, counted or Counted(), call, NOW)


def with_one(call: Call = CALL) -> Counted:
    counted = Counted()
    counted.start("t", call, at(0))
    return counted


def rows(policy: Policy, calls: dict[str, Call], counted: Counted) -> dict[str, dict[str, Any]]:
    words = rules_words({kind: verdict(policy, call, counted) for kind, call in calls.items()})
    return {row["rule"]: row for row in words}


def about(story: Story) -> dict[str, Call]:
    return calls_about(story.task(), next(iter(story.tables.runs("t")), None))


def test_a_task_is_asked_about_as_another_start_a_repeat_and_a_follow_up() -> None:
    story = Story()
    story.started("r1", agent_name="coder", fingerprint="f", header_session="s")
    calls = about(story)
    assert list(calls) == [START, REPEAT, UPDATE]
    assert calls[START] == Call(agent="coder", upstream="up", supervisor="ann", session="s")
    assert calls[REPEAT].fingerprint == "f"
    assert (calls[UPDATE].task_id, calls[UPDATE].update, calls[UPDATE].wakes) == ("t", True, False)


def test_an_instruction_that_was_not_read_cannot_be_repeated() -> None:
    story = Story()
    story.started("r1")
    assert list(about(story)) == [START, UPDATE]


def test_a_follow_up_to_a_task_that_is_over_wakes_it() -> None:
    story = Story()
    story.started("r1")
    story.run_gone("r1")
    assert about(story)[UPDATE].wakes


def test_every_question_is_told_once_and_of_whom_it_is_asked() -> None:
    policy = rules(
        "name: places, concurrent: 1, per: session; name: same, duplicates: 1, per: session;"
        "name: runs, concurrent: 2, per: task",
        "name: money, usd: 1, per: session, on_unpriced: ignore",
    )
    calls = {
        START: Call(agent="coder", upstream="up", supervisor="ann", session="s"),
        REPEAT: CALL,
        UPDATE: Call(
            agent="coder", upstream="up", supervisor="ann", session="s", task_id="t", update=True
        ),
    }
    found = rows(policy, calls, with_one())
    assert {rule: row["asked_of"] for rule, row in found.items()} == {
        "places": ["start"],
        "same": ["repeat"],
        "runs": ["start", "update"],
        "money": ["start", "update"],
    }
    assert [(row["current"], row["limit"]) for row in found.values()] == [
        (1, 1),
        (1, 1),
        (1, 2),
        ("0.000000", "1.000000"),
    ]
    assert {rule: row["verdict"] for rule, row in found.items()} == {
        "places": "refuses",
        "same": "refuses",
        "runs": "lets_in",
        "money": "lets_in",
    }
    assert {row["kind"] for row in found.values()} == {"limit", "budget"}
    assert (found["runs"]["scope"], found["runs"]["scope_id"]) == ("task", "t")


def test_an_observing_rule_would_refuse() -> None:
    policy = rules("name: w, mode: observe, concurrent: 1, per: session")
    found = rows(policy, {START: CALL}, with_one())
    assert (found["w"]["verdict"], found["w"]["mode"]) == ("would_refuse", "observe")
    words = verdict_words(verdict(policy, CALL, with_one()))
    assert words == {
        "let_in": True,
        "code": None,
        "rule": None,
        "message": None,
        "would_refuse": ["w"],
    }


def test_a_refusal_is_told_as_the_model_would_read_it() -> None:
    words = verdict_words(verdict(rules("name: closed, match: {agent: coder}, deny: true")))
    assert (words["let_in"], words["code"], words["rule"]) == (False, "denied", "closed")
    assert words["message"].startswith("Not started: no task of agent coder may be started.")


def test_while_frozen_nothing_else_is_asked() -> None:
    counted = Counted(freeze=Freeze(scope=Scope.SESSION, scope_id="s", reason="the bill"))
    policy = rules("name: places, concurrent: 1, per: session")
    found = rows(policy, {START: CALL, UPDATE: CALL}, counted)
    assert list(found) == ["freeze"]
    assert (found["freeze"]["kind"], found["freeze"]["current"]) == ("freeze", None)


def test_each_setting_is_told_with_the_rule_that_set_it() -> None:
    found = lifecycle_words(load([find("strict")]), CALL)
    assert {"run", "total", "lease", "then"} <= {row["setting"] for row in found}
    run = next(row for row in found if row["setting"] == "run")
    assert run == {
        "setting": "run",
        "value": "15m",
        "rule": "clocks",
        "policy": "strict",
        "mode": "enforce",
    }


def test_settings_that_observing_rules_would_set_are_told_apart() -> None:
    policy = load([find("strict"), find("observe")])
    found = [row for row in lifecycle_words(policy, CALL) if row["setting"] == "run"]
    assert [(row["mode"], row["policy"]) for row in found] == [
        ("enforce", "strict"),
        ("observe", "observe"),
    ]
    alone = lifecycle_words(load([find("observe")]), CALL)
    assert {row["mode"] for row in alone} == {"observe"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, []),
        ("places concurrent 1/3", [("places", "concurrent", 1, 3)]),
        (
            "money micro_usd 1950000/2000000\ntime run_time 1500000/60000000\nno deny 0/0",
            [
                ("money", "micro_usd", "1.950000", "2.000000"),
                ("time", "run_time", 1.5, 60.0),
                ("no", "deny", None, None),
            ],
        ),
    ],
)
def test_what_a_run_was_asked_is_told_in_the_same_units(
    text: str | None, expected: list[tuple[object, ...]]
) -> None:
    assert [tuple(row.values()) for row in admitted_words(text)] == expected
