"""Gauges of the record, of budgets and of the policy."""

from dataclasses import replace

from tests.support.books import at
from tests.support.refusals import policy
from tests.unit.metrics.shown import Shown

from subagent_sidecar.core.metrics.labels import OTHER, Whose
from subagent_sidecar.core.metrics.record import Census, Live
from subagent_sidecar.core.metrics.standing import BudgetUse, of_budgets, of_policy, of_record
from subagent_sidecar.core.model import TaskStatus
from subagent_sidecar.core.policy_state import FailedReload, state

NOTHING = Census(unconfirmed={}, under_way={}, in_doubt={}, freezes={})
RUNNING = Live(upstream="up", agent_name="coder", status=TaskStatus.RUNNING, tasks=2, since=at(40))


def shown(census: Census) -> Shown:
    found = Shown(of_record(census, Whose([], ["up"]), at(100)))
    assert found.fit()
    return found


def test_with_nothing_on_record_everything_is_0_and_there() -> None:
    found = shown(NOTHING)
    assert found.values("tasks_live") == {
        ("up", OTHER, "pending"): 0,
        ("up", OTHER, "running"): 0,
        ("up", OTHER, "waiting"): 0,
    }
    assert found.values("freezes") == {("global",): 0, ("agent",): 0, ("session",): 0}
    assert found.values("starts_unsettled") == {("up", "under_way"): 0, ("up", "in_doubt"): 0}
    assert found.value("tasks_oldest_seconds", "up", "running") == 0
    assert found.value("cancels_unconfirmed", "up") == 0


def test_live_tasks_are_told_by_agent_and_the_oldest_by_status_alone() -> None:
    older = replace(RUNNING, agent_name="painter", tasks=1, since=at(10))
    found = shown(replace(NOTHING, live=(RUNNING, older)))
    assert found.some("tasks_live") == {
        ("up", "coder", "running"): 2,
        ("up", "painter", "running"): 1,
    }
    assert found.some("tasks_oldest_seconds") == {("up", "running"): 90.0}


def test_a_task_from_the_future_is_0_seconds_old() -> None:
    found = shown(replace(NOTHING, live=(replace(RUNNING, since=at(500)),)))
    assert found.some("tasks_oldest_seconds") == {}


def test_agents_that_are_folded_are_added_up() -> None:
    many = tuple(replace(RUNNING, agent_name=f"a{number}") for number in range(60))
    found = shown(replace(NOTHING, live=many))
    assert found.value("tasks_live", "up", OTHER, "running") == 20
    assert sum(found.values("tasks_live").values()) == 120


def test_the_rest_of_the_record_is_told_as_it_is() -> None:
    census = replace(
        NOTHING,
        unconfirmed={"up": 2},
        under_way={"up": 3},
        in_doubt={"up": 1},
        freezes={"agent": 4},
    )
    found = shown(census)
    assert found.value("cancels_unconfirmed", "up") == 2
    assert found.values("starts_unsettled") == {("up", "under_way"): 3, ("up", "in_doubt"): 1}
    assert found.some("freezes") == {("agent",): 4}


BUDGETS = policy("budgets: [{name: a, usd: 1, per: session}, {name: b, runs: 1, per: global}]")


def test_of_each_budget_is_told_what_is_left_of_it_at_its_tightest() -> None:
    uses = {"a": BudgetUse(share=0.75, near=2, exhausted=1), "gone": BudgetUse(share=1.0)}
    found = Shown(of_budgets(BUDGETS, uses))
    assert found.values("budget_remaining_ratio") == {("p", "a"): 0.25, ("p", "b"): 1.0}
    assert found.values("budget_scopes_near") == {("p", "a"): 2, ("p", "b"): 0}
    assert found.values("budget_scopes_exhausted") == {("p", "a"): 1, ("p", "b"): 0}


def test_nothing_is_left_of_a_budget_that_was_overspent() -> None:
    found = Shown(of_budgets(BUDGETS, {"a": BudgetUse(share=1.5)}))
    assert found.value("budget_remaining_ratio", "p", "a") == 0.0


# failures.md row 11
def test_a_reload_that_failed_shows_until_one_works() -> None:
    first = state(BUDGETS, names=("p",), files=("p.yaml",), at="1970-01-01T00:01:40.000000Z")
    failed = replace(first, reloads=2, failures=1, failed=FailedReload(at=at(9), problems=("x",)))
    good, bad = Shown(of_policy(first)), Shown(of_policy(failed))
    assert (good.fit(), bad.fit()) == (True, True)
    assert (good.value("policy_reload_failed"), bad.value("policy_reload_failed")) == (0, 1)
    assert bad.values("policy_reloads_total") == {("ok",): 2, ("failed",): 1}
    assert bad.value("policy_loaded_timestamp_seconds") == 100
    assert bad.values("policy_info") == {(first.version,): 1}


def test_rules_are_counted_by_what_they_are_and_whether_they_are_enforced() -> None:
    rules = policy("""
mode: observe
limits: [{name: few, starts: 1, per: session, mode: enforce}, {name: deep, depth: 1}]
lifecycle: [{name: clocks, run: 1h}]
""")
    found = Shown(of_policy(state(rules, names=(), files=(), at=at(1))))
    assert found.values("policy_rules") == {
        ("limit", "enforce"): 1,
        ("limit", "observe"): 1,
        ("budget", "enforce"): 0,
        ("budget", "observe"): 0,
        ("lifecycle", "enforce"): 0,
        ("lifecycle", "observe"): 1,
    }
