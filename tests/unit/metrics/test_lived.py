"""Counters of what happened and of what was used, since a process began."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.refusals import policy
from tests.unit.metrics.shown import Shown

from subagent_sidecar.core.metrics.labels import OTHER, Whose
from subagent_sidecar.core.metrics.lived import FINISHES, Lived, Spent
from subagent_sidecar.core.metrics.record import (
    COUNTED_KINDS,
    Happened,
    RunTime,
    Stretch,
    Used,
)
from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.core.policy import Policy

RULES = policy("""
limits: [{name: few, starts: 1, per: session}]
budgets: [{name: usd, usd: 1, per: session}]
""")
CODER = {"upstream": "up", "agent_name": "coder"}


def lived(*happened: Happened, times: tuple[RunTime, ...] = (), rules: Policy = RULES) -> Shown:
    counted = Lived(Whose([("up", "coder")], ["up"]))
    counted.add(Stretch(upto=1, last=1, happened=happened, times=times))
    shown = Shown(counted.families(rules))
    assert shown.fit()
    return shown


def test_everything_that_can_be_known_is_there_before_it_happens() -> None:
    shown = lived()
    pairs = {("up", OTHER), ("up", "coder")}
    assert shown.values("tasks_started_total").keys() == pairs
    assert shown.values("starts_refused_total").keys() == {
        ("operator", "freeze"),
        ("p", "few"),
        ("p", "usd"),
    }
    finished = shown.values("tasks_finished_total").keys()
    assert finished == {
        (*pair, status.value, by.value) for pair in pairs for status, by in FINISHES
    }
    told = {("p", "usd", "near"), ("p", "usd", "exhausted"), ("p", "usd", "would_cancel")}
    assert shown.values("budget_told_total").keys() == told
    assert shown.histogram("run_queue_seconds", "up", "coder").counts == [0] * 16
    assert not any(value for family in shown.families.values() for value in family.values.values())


@pytest.mark.parametrize(
    ("happened", "name", "labels"),
    [
        ({"kind": "started", **CODER}, "tasks_started_total", ("up", "coder")),
        ({"kind": "updated", **CODER}, "tasks_updated_total", ("up", "coder")),
        (
            {"kind": "ended", **CODER, "status": "cancelled", "word": "budget"},
            "tasks_finished_total",
            ("up", "coder", "cancelled", "budget"),
        ),
        ({"kind": "reaped", **CODER, "word": "stall"}, "tasks_reaped_total", ("up", "stall")),
        ({"kind": "would_reap", **CODER, "word": "idle"}, "tasks_would_reap_total", ("up", "idle")),
        ({"kind": "start_failed", "agent_name": "coder"}, "starts_failed_total", ("coder",)),
        ({"kind": "in_doubt", "upstream": "up"}, "starts_doubted_total", ("up",)),
        ({"kind": "cancel_asked", **CODER, "word": "operator"}, "cancels_asked_total",
         ("up", "operator")),
        ({"kind": "cancel_confirmed", **CODER}, "cancels_settled_total", ("up", "confirmed")),
        ({"kind": "cancel_too_late", **CODER}, "cancels_settled_total", ("up", "too_late")),
        ({"kind": "cancel_unconfirmed", **CODER}, "cancels_settled_total", ("up", "unconfirmed")),
        ({"kind": "refused", "rule": "few", "policy": "p"}, "starts_refused_total", ("p", "few")),
        ({"kind": "would_refuse", "rule": "few", "policy": "p"}, "starts_would_refuse_total",
         ("p", "few")),
        ({"kind": "budget_near", "rule": "usd", "policy": "p"}, "budget_told_total",
         ("p", "usd", "near")),
        ({"kind": "budget_exhausted", "rule": "usd", "policy": "p"}, "budget_told_total",
         ("p", "usd", "exhausted")),
        ({"kind": "would_cancel", "rule": "usd", "policy": "p"}, "budget_told_total",
         ("p", "usd", "would_cancel")),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_each_kind_of_event_counts_in_its_own_metric(
    happened: dict[str, Any], name: str, labels: tuple[str, ...]
) -> None:
    nothing = lived()
    shown = lived(Happened(times=3, **happened))
    assert labels in nothing.values(name)
    assert {metric: shown.some(metric.removeprefix("subagent_")) for metric in shown.families} == {
        metric: {labels: 3.0} if metric == f"subagent_{name}" else {} for metric in shown.families
    }


def test_no_kind_that_the_stores_add_up_is_left_out() -> None:
    for kind in COUNTED_KINDS:
        shown = lived(Happened(kind=kind, times=1))
        assert sum(len(shown.some(n.removeprefix("subagent_"))) for n in shown.families) == 1, kind


def test_a_rule_that_is_in_force_no_more_keeps_what_it_has_counted() -> None:
    shown = lived(Happened(kind="refused", times=2, rule="old", policy="p"), rules=Policy())
    assert shown.values("starts_refused_total") == {("operator", "freeze"): 0, ("p", "old"): 2}


def test_whoever_may_end_a_task_is_among_the_causes() -> None:
    assert {by for _, by in FINISHES} == set(EndedBy)


def test_times_fall_into_the_buckets_they_reach() -> None:
    whose = {"upstream": "up", "agent_name": "coder"}
    times = (
        RunTime(**whose, queued_s=0.4),  # type: ignore[arg-type]
        RunTime(**whose, ran_s=1.0),  # type: ignore[arg-type]
        RunTime(**whose, ran_s=90.0),  # type: ignore[arg-type]
        RunTime(**whose, ran_s=90_000.0),  # type: ignore[arg-type]
    )
    shown = lived(times=times)
    queue = shown.histogram("run_queue_seconds", "up", "coder")
    duration = shown.histogram("run_duration_seconds", "up", "coder")
    assert (sum(queue.counts), queue.counts[0], queue.sum) == (1, 1, 0.4)
    assert (duration.counts[0], duration.counts[-1], duration.sum) == (1, 1, 90_091.0)
    assert duration.counts[list(duration.bounds).index(120)] == 1


USED = Used(
    upstream="up",
    agent_name="coder",
    model="m",
    messages=4,
    unpriced=1,
    input_tokens=1_000,
    output_tokens=100,
    cache_read_tokens=50,
    cache_write_tokens=5,
    cost_micro_usd=4_500,
)


def spent(first: list[Used], *readings: list[Used]) -> Shown:
    sums = Spent(Whose([], ["up"]), first)
    shown = Shown(())
    for reading in readings:
        shown = Shown(sums.families(reading))
    assert shown.fit()
    return shown


def test_tokens_and_cost_are_told_by_model() -> None:
    shown = spent([], [USED])
    assert shown.some("tokens_total") == {
        ("up", "coder", "m", "input"): 1_000,
        ("up", "coder", "m", "output"): 100,
    }
    assert shown.some("cached_tokens_total") == {
        ("up", "coder", "m", "read"): 50,
        ("up", "coder", "m", "write"): 5,
    }
    assert shown.some("cost_usd_total") == {("up", "coder", "m"): 0.0045}
    assert shown.some("unpriced_messages_total") == {("up", "coder", "m"): 1}


def test_what_was_used_before_the_process_began_is_not_counted_but_known() -> None:
    grown = replace(USED, output_tokens=130, cost_micro_usd=5_000)
    shown = spent([USED], [USED], [grown])
    assert shown.some("tokens_total") == {("up", "coder", "m", "output"): 30}
    assert shown.values("tokens_total")["up", "coder", "m", "input"] == 0
    assert shown.value("cost_usd_total", "up", "coder", "m") == 0.0005


def test_a_counter_never_falls_also_where_a_price_does() -> None:
    cheaper = replace(USED, cost_micro_usd=3_000, unpriced=0)
    shown = spent([], [USED], [cheaper])
    assert shown.value("cost_usd_total", "up", "coder", "m") == 0.0045
    assert shown.value("unpriced_messages_total", "up", "coder", "m") == 1


def test_models_beyond_the_bound_are_added_up_together() -> None:
    many = [replace(USED, model=f"m{number}") for number in range(60)]
    shown = spent([], many)
    assert shown.value("tokens_total", "up", "coder", OTHER, "input") == 10_000
    assert sum(shown.some("tokens_total").values()) == 60 * 1_100
