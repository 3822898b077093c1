"""Alerts and recording rules ask for metrics and labels that there are; each alert has its runbook
and a test that fires it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.docs import repository

from subagent_sidecar.core.metrics.instruments import ALL, Kind

FOLDER = "dashboards/alerts"
SEVERITIES = {"page", "warning", "info"}
_METRIC = re.compile(r"(?<![:\w])(subagent_[a-z_0-9]+)(?![:\w])")
_RECORDED = re.compile(r"(?<![:\w])([a-z_]+:subagent_[a-z_]+:[a-z_0-9]+)")
_GROUPED = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_ASKED = re.compile(r'(\w+)(?:=~|!~|=|!=)"')
_OF_PROMETHEUS = {"job", "instance", "le"}


def loaded(name: str) -> Any:
    return yaml.safe_load(repository.read(f"{FOLDER}/{name}"))


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in loaded(name)["groups"] for rule in group["rules"]]


RECORDING, ALERTS = rules("recording.yaml"), rules("alerts.yaml")
RULES = [*RECORDING, *ALERTS]
BY_NAME = {rule.get("alert") or rule["record"]: rule for rule in RULES}

SAMPLES = {
    each.name + end: set(each.labels)
    for each in ALL
    for end in (("_bucket", "_sum", "_count") if each.kind is Kind.HISTOGRAM else ("",))
}


def labels_of(rule: dict[str, Any]) -> set[str]:
    """The labels of everything a rule asks for."""
    asked: set[str] = set()
    for metric in _METRIC.findall(rule["expr"]):
        asked |= SAMPLES[metric]
    for recorded in _RECORDED.findall(rule["expr"]):
        asked |= labels_of(BY_NAME[recorded])
    return asked


def test_no_two_rules_share_a_name() -> None:
    assert len(BY_NAME) == len(RULES)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_rule_asks_for_what_there_is(name: str) -> None:
    rule = BY_NAME[name]
    expression = rule["expr"]
    assert set(_METRIC.findall(expression)) <= SAMPLES.keys()
    assert set(_RECORDED.findall(expression)) <= {rule["record"] for rule in RECORDING}
    named = {each.strip() for group in _GROUPED.findall(expression) for each in group.split(",")}
    assert named | set(_ASKED.findall(expression)) <= labels_of(rule) | _OF_PROMETHEUS


@pytest.mark.parametrize("rule", RECORDING, ids=lambda rule: rule["record"])
def test_a_recorded_name_begins_with_the_labels_that_are_left(rule: dict[str, Any]) -> None:
    level, metric, _ = rule["record"].split(":")
    assert metric in rule["expr"] or metric == "subagent_tasks_failed"
    (outer, *_) = (set(each.replace(" ", "").split(",")) for each in _GROUPED.findall(rule["expr"]))
    assert set(level.split("_")) == outer - {"le"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_about_and_how_urgent_it_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{rule['alert'].lower()}"
    texts = rule["annotations"]["summary"] + rule["annotations"]["description"]
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= labels_of(rule) | _OF_PROMETHEUS


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    headings = re.findall(r"^## (\w+)$", repository.read("docs/runbooks.md"), re.MULTILINE)
    assert headings == [rule["alert"] for rule in ALERTS]


def expectations() -> Iterator[tuple[str, bool]]:
    """Alerts that are tested, and whether they are to fire."""
    for path in (repository.ROOT / FOLDER / "tests").glob("*.yaml"):
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for case in test.get("alert_rule_test", ()):
                yield case["alertname"], bool(case["exp_alerts"])


def test_every_alert_was_seen_to_fire() -> None:
    assert {name for name, fires in expectations() if fires} == {rule["alert"] for rule in ALERTS}


def test_every_recording_rule_was_seen_to_record() -> None:
    tested = "".join(
        path.read_text("utf-8") for path in (repository.ROOT / FOLDER / "tests").glob("*.yaml")
    )
    assert {rule["record"] for rule in RECORDING} <= set(_RECORDED.findall(tested))
