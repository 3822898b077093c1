"""docs/reference/metrics.md lists every metric with its type and labels, and no other."""

import re

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector
from tests.docs import repository

from subagent_sidecar.core.metrics import instruments
from subagent_sidecar.core.metrics.labels import MOST_NAMES
from subagent_sidecar.core.metrics.lived import FINISHES, OUTCOMES, REASONS, TOLD
from subagent_sidecar.core.metrics.traffic import BREAKER_STATES, KINDS

PAGE = repository.read("docs/reference/metrics.md")
ROW = re.compile(r"^\| `(subagent_\w+)` \| (\w+) \|([^|]*)\| (.+) \|$", re.MULTILINE)
LISTED = {name: (kind, labels, says) for name, kind, labels, says in ROW.findall(PAGE)}


def test_every_metric_is_on_the_page_once_and_no_other() -> None:
    named = [name for name, *_ in ROW.findall(PAGE)]
    assert named == sorted(set(named), key=named.index)
    assert set(named) == {each.name for each in instruments.ALL}


@pytest.mark.parametrize("instrument", instruments.ALL, ids=lambda each: each.name)
def test_its_type_and_its_labels_are_those_it_has(instrument: instruments.Instrument) -> None:
    kind, labels, _ = LISTED[instrument.name]
    assert kind == instrument.kind
    assert tuple(re.findall(r"`(\w+)`", labels)) == instrument.labels


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("subagent_tasks_finished_total", {by.value for _, by in FINISHES}),
        ("subagent_tasks_finished_total", {status.value for status, _ in FINISHES}),
        ("subagent_tasks_reaped_total", set(REASONS)),
        ("subagent_cancels_settled_total", set(OUTCOMES.values())),
        ("subagent_budget_told_total", set(TOLD.values())),
        ("subagent_upstream_breaker", set(BREAKER_STATES)),
        ("subagent_proxy_requests_total", set(KINDS)),
    ],
)
def test_the_words_a_label_may_hold_are_told(name: str, words: set[str]) -> None:
    assert words <= set(re.findall(r"`([\w-]+)`", LISTED[name][2]))


def test_the_figures_of_the_process_are_all_named() -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    told = {sample.name for family in registry.collect() for sample in family.samples}
    assert set(re.findall(r"`(process_\w+)`", PAGE)) == told


def test_the_bound_on_names_is_the_one_in_force() -> None:
    assert f"after the first {MOST_NAMES} of a process" in PAGE.replace("\n", " ")
