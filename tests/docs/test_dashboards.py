"""The dashboards are what their generator makes, what Grafana knows, and ask for what there is."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from scripts.dashboards import __main__ as generator
from scripts.dashboards import queries, rules
from tests.docs import repository
from tests.support import dashboards
from tests.support.expressions import OF_PROMETHEUS, SAMPLES, grouped, matched, parts, selectors

from subagent_sidecar.core import span_names
from subagent_sidecar.core.metrics.instruments import ALL

BOARDS = {path.stem: dashboards.board(path) for path in dashboards.FILES}
OTHERS = {
    "up",
    "ALERTS",
    *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"),
    *("process_open_fds", "process_max_fds"),
}
"""What Prometheus itself, and prometheus_client, tell."""


def shown(uid: str) -> list[Any]:
    """The panels of a dashboard that show something."""
    return [panel for panel in dashboards.panels(BOARDS[uid]) if panel["type"] != "row"]


def test_what_is_committed_is_what_the_generator_makes() -> None:
    found = {path.name: path.read_text("utf-8") for path in dashboards.FILES}
    assert found == generator.files(), "run: python -m scripts.dashboards"


# Grafana's own models, as it publishes them: what they do not know is lost on the way through.

UNKNOWN = re.compile(
    r"annotations\.list\[\d+\]\.(step|textFormat|titleFormat|useValueForTime)"  # Prometheus' own
    r"|templating\.list\[\d+\]\.definition"
)


@pytest.mark.parametrize("uid", BOARDS)
def test_grafana_knows_every_word_of_it(uid: str) -> None:
    plugins.register_default_plugins()
    understood = json.loads(JSONEncoder().encode(Dashboard.from_json(BOARDS[uid])))
    lost = [path for path in _lost(BOARDS[uid], understood) if not UNKNOWN.fullmatch(path)]
    assert lost == []


def test_a_word_that_grafana_does_not_know_is_lost() -> None:
    plugins.register_default_plugins()
    told = {"panels": [{"type": "stat", "options": {"colourMode": "value"}}]}
    understood = json.loads(JSONEncoder().encode(Dashboard.from_json(told)))
    assert list(_lost(told, understood)) == ["panels[0].options.colourMode"]


def _lost(told: Any, understood: Any, path: str = "") -> Iterator[str]:
    """Where the second says something else than the first, or nothing."""
    if isinstance(told, dict) and isinstance(understood, dict):
        for key, value in told.items():
            inner = f"{path}.{key}" if path else key
            if key in understood:
                yield from _lost(value, understood[key], inner)
            elif value not in (None, [], {}, "", False):
                yield inner
    elif isinstance(told, list) and isinstance(understood, list) and len(told) == len(understood):
        for index, (one, other) in enumerate(zip(told, understood, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif told != understood:
        yield path


# How it looks


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_are_numbered_once_and_stand_beside_each_other(uid: str) -> None:
    everything = list(dashboards.panels(BOARDS[uid]))
    assert max(Counter(panel["id"] for panel in everything).values()) == 1
    taken: Counter[tuple[int, int]] = Counter()
    for panel in BOARDS[uid]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken.update(
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        )
    assert max(taken.values()) == 1


@pytest.mark.parametrize("uid", [uid for uid in BOARDS if uid != "subagent-runbooks"])
def test_every_panel_says_what_it_shows_and_has_a_unit(uid: str) -> None:
    for panel in shown(uid):
        assert panel["title"] and panel["description"].strip(), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


def test_no_data_source_is_named() -> None:
    text = "".join(path.read_text("utf-8") for path in dashboards.FILES)
    uids = set(re.findall(r'"datasource": \{\s*"type": "\w+",\s*"uid": "([^"]+)"', text))
    assert uids == {"${metrics}", "${traces}"}
    assert text.count('"datasource": {') == text.count('"uid": "${')


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_has_the_variables_it_uses_and_no_others(uid: str) -> None:
    text = json.dumps(BOARDS[uid])
    has = {variable["name"] for variable in BOARDS[uid]["templating"]["list"]}
    used = set(re.findall(r"\$(?:\{)?([a-z]\w*)", text.replace("${__", "")))
    assert used == has


# What it asks


@pytest.mark.parametrize("query", dashboards.PROMQL, ids=str)
def test_a_panel_asks_for_what_there_is(query: dashboards.Asked) -> None:
    labels: set[str] = set()
    for selector in selectors(query.filled):
        assert selector.name in SAMPLES or selector.name in OTHERS
        labels |= SAMPLES.get(selector.name, set())
        if selector.name != "ALERTS":
            assert matched(selector) <= SAMPLES.get(selector.name, set()) | OF_PROMETHEUS
            assert "job" in matched(selector), "it shows the sidecars of all stores as one"
    assert grouped(query.filled) <= labels | OF_PROMETHEUS


def test_what_all_sidecars_of_a_store_count_alike_is_never_just_added_up() -> None:
    assert len(queries.of_the_record()) == len(
        re.findall(r"Of the record \|$", repository.read("docs/reference/metrics.md"), re.M)
    )
    for query in dashboards.PROMQL:
        for part in parts(query.filled):
            if isinstance(part, promql.AggregateExpr) and str(part.op) == "sum":
                inner = part.expr
                record = {s.name for s in selectors(str(inner))} & queries.of_the_record()
                assert not record or str(inner).startswith("max by (job, "), query


def test_every_metric_is_on_a_dashboard() -> None:
    asked = {selector.name for query in dashboards.PROMQL for selector in selectors(query.filled)}
    ends = ("", "_bucket", "_count")
    assert [each.name for each in ALL if not any(each.name + end in asked for end in ends)] == []


@pytest.mark.parametrize("query", dashboards.TRACEQL, ids=str)
def test_a_table_of_spans_asks_for_what_spans_say(query: dashboards.Asked) -> None:
    said = {value for name, value in vars(span_names).items() if name.isupper()}
    assert set(re.findall(r"span\.([a-z_.]+)", query.text)) <= said


@pytest.mark.parametrize("file", ["alerts.yaml", "recording.yaml"])
def test_every_rule_can_be_parsed(file: str) -> None:
    groups = yaml.safe_load(repository.read(f"dashboards/alerts/{file}"))["groups"]
    assert all(parts(rule["expr"]) for group in groups for rule in group["rules"])


# Alerts and their runbooks


def test_a_panel_turns_red_where_an_alert_fires() -> None:
    assert rules.threshold("SubagentTaskRunningLong") == 7200
    assert rules.threshold("SubagentNotPolling") == 60
    [panel] = [each for each in shown("subagent-fleet") if each["title"] == "Longest at work"]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps == [{"color": "green", "value": None}, {"color": "red", "value": 7200}]


def test_a_link_to_a_runbook_leads_to_it() -> None:
    found = {panel["id"]: panel for panel in shown("subagent-runbooks")}
    assert [panel["title"] for panel in found.values()] == list(rules.alerts())
    for uid in BOARDS:
        for panel in shown(uid):
            for link in panel["links"]:
                number = int(link["url"].removeprefix("/d/subagent-runbooks?viewPanel="))
                assert link["title"] == f"Runbook: {found[number]['title']}"


def test_every_alert_can_be_looked_into() -> None:
    linked = {link["title"] for uid in BOARDS for panel in shown(uid) for link in panel["links"]}
    assert linked == {f"Runbook: {name}" for name in rules.alerts()}


def test_a_runbook_on_a_dashboard_has_no_link_that_leads_nowhere() -> None:
    for panel in shown("subagent-runbooks"):
        assert "](" not in panel["options"]["content"]
        assert len(panel["options"]["content"]) > 80
