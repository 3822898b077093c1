"""Whom rules are about, and which settings hold for a task."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from subagent_sidecar.core.matching import Call, Glob, Scope
from subagent_sidecar.core.policy import (
    Amounts,
    Budget,
    LifecycleRule,
    Limit,
    OnUnpriced,
    Policy,
    merged,
)
from subagent_sidecar.policy_file import parse
from subagent_sidecar.yaml_file import Document

CALL = Call(agent="coder", upstream="up", supervisor="ann", session="default:ann", depth=1)


def policy(rules: str, section: str = "lifecycle", name: str = "p") -> Policy:
    data = yaml.safe_load(f"version: 1\n{section}:\n{rules}")
    return parse([Document(Path(f"{name}.yaml"), data, {})])


@pytest.mark.parametrize(
    ("glob", "fits", "does_not"),
    [
        ("coder", ["coder"], ["Coder", "coder ", "coders", ""]),
        ("*", ["", "x", "a\nb"], []),
        ("cod*", ["cod", "coder"], ["co", "acoder"]),
        ("*er", ["er", "coder"], ["coders"]),
        ("c*d*r", ["cdr", "coder"], ["cod"]),
        ("c?der", ["coder", "c*der"], ["cder", "cooder"]),
        ("[abc]", ["[abc]"], ["a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("[!a]*", ["[!a]x"], ["bx"]),
        ("a*[", ["ab["], ["a"]),
    ],
)
def test_a_glob_knows_two_signs_and_takes_all_others_as_they_are(
    glob: str, fits: list[str], does_not: list[str]
) -> None:
    assert all(map(Glob(glob).fits, fits))
    assert not any(map(Glob(glob).fits, does_not))


def test_no_text_makes_a_glob_slow() -> None:
    """A backtracking match of this would outlive the machine."""
    assert not Glob("*a" * 30 + "*b").fits("a" * 5_000)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("agent: coder", True),
        ("agent: [researcher, 'c*']", True),
        ("agent: [researcher, writer]", False),
        ("agent: coder, upstream: up, supervisor: a*, session: 'default:*', depth: 1", True),
        ("agent: coder, upstream: other", False),
        ("supervisor: bob", False),
        ("session: 'default'", False),
        *((f"depth: '{test}'", True) for test in (">=1", "<=1", "==1", ">0", "<2", "!=0", "== 1")),
        *((f"depth: '{test}'", False) for test in (">=2", "<=0", "==0", ">1", "<1", "!=1")),
    ],
)
def test_of_a_match_every_key_must_fit(match: str, fits: bool) -> None:
    text = f"  - {{name: a, concurrent: 5, per: session, match: {{{match}}}}}\n"
    (rule,) = policy(text, "limits").limits
    assert rule.concerns(CALL) is fits


@pytest.mark.parametrize(
    ("scope", "scope_id"),
    [
        (Scope.TASK, None),
        (Scope.TREE, None),
        (Scope.SESSION, "default:ann"),
        (Scope.SUPERVISOR, "ann"),
        (Scope.AGENT, "coder"),
        (Scope.UPSTREAM, "up"),
        (Scope.GLOBAL, "*"),
    ],
)
def test_a_call_is_in_one_scope_of_each_kind(scope: Scope, scope_id: str | None) -> None:
    assert CALL.scope_id(scope) == scope_id
    known = replace(CALL, task_id="t", tree_id="root")
    assert known.scope_id(scope) == {Scope.TASK: "t", Scope.TREE: "root"}.get(scope, scope_id)


def test_of_each_setting_the_last_rule_that_matches_holds() -> None:
    found = policy(
        "  - {name: all, run: 1h, stall: 10m}\n"
        "  - {name: coders, run: 2h, total: 3h, match: {agent: coder}}\n"
        "  - {name: others, run: 9h, match: {agent: other}}\n"
    ).lifecycle_for(CALL)
    assert found.values.run == timedelta(hours=2)
    assert found.values.stall == timedelta(minutes=10)
    assert found.values.queue is None
    assert {key: rule.name for key, rule in found.rules.items()} == {
        "run": "coders",
        "stall": "all",
        "total": "coders",
    }


def test_an_observing_rule_takes_no_place_from_an_enforcing_one() -> None:
    the_policy = policy(
        "  - {name: clocks, run: 1h}\n  - {name: would, run: 5m, stall: 1m, mode: observe}\n"
    )
    enforced, observed = (
        the_policy.lifecycle_for(CALL),
        the_policy.lifecycle_for(CALL, observed=True),
    )
    assert (enforced.values.run, enforced.values.stall) == (timedelta(hours=1), None)
    assert observed.values.run == timedelta(minutes=5)
    assert observed.values.stall == timedelta(minutes=1)


def test_a_clock_of_zero_is_said_and_turns_off_what_was_set_before() -> None:
    found = policy("  - {name: a, run: 1h, stall: 1m}\n  - {name: b, run: 0}\n").lifecycle_for(CALL)
    assert found.values.run == timedelta()
    assert found.rules["run"].name == "b"


def test_money_time_and_shares_are_exact() -> None:
    (budget,) = policy(
        "  - {name: a, usd: 0.1, run_time: 0.1s, tokens: 2_000_000, per: task, soft_at: 0.7,\n"
        "     on_unpriced: assume:0.000001}\n",
        "budgets",
    ).budgets
    assert budget.limit == Amounts(
        micro_usd=100_000, tokens=2_000_000, run_time=timedelta(milliseconds=100)
    )
    assert dict(budget.limit.said)["run_time"] == 100_000
    assert (budget.on_unpriced, budget.assumed_micro_usd) == (OnUnpriced.ASSUME, 1)
    assert budget.soft_at == Decimal("0.7")
    assert [budget.soft(limit) for limit in (1, 10, 11, 100_000)] == [1, 7, 8, 70_000]


def test_merged_policies_keep_their_order_and_the_last_word() -> None:
    one = policy("  - {name: a, run: 1h}\n", name="one")
    two = Policy(lifecycle=policy("  - {name: b, run: 1h}\n").lifecycle, coalesce=timedelta(1))
    both = merged([one, two, Policy()])
    assert [rule.name for rule in both.rules] == ["a", "b"]
    assert both.coalesce == timedelta(1)
    assert merged([]) == Policy()


def test_rules_come_in_the_order_limits_budgets_lifecycle() -> None:
    both = merged(
        [
            policy("  - {name: c, run: 1h}\n"),
            policy("  - {name: b, runs: 1, per: task}\n", "budgets"),
            policy("  - {name: a, depth: 1}\n", "limits"),
        ]
    )
    assert [type(rule) for rule in both.rules] == [Limit, Budget, LifecycleRule]
