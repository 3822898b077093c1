"""A real Prometheus reads `/metrics`: every panel of the dashboards and every rule finds what it
asks for, and promtool finds nothing to say against it."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.integration.budgets.rig import desk
from tests.integration.metrics import story
from tests.support import dashboards, traceql
from tests.support.expressions import parts, selectors
from tests.support.otlp_sink import OtlpSink
from tests.support.prometheus import RULES, WITHIN, Prometheus, program, scraping
from tests.support.waiting import eventually_got

POLICY = {"limits": [{"name": "few", "concurrent": 1, "per": "session"}]}

EMPTY: Mapping[str, str] = {
    'ALERTS{alertname=~"Subagent.+", alertstate="firing", severity="page"}': (
        "nothing happens in the story that anybody should be woken for"
    ),
    "job_upstream_agent:subagent_tasks_started:rate5m{} offset 1h": "it takes no hour",
}
"""What has nothing to say after the story, and why that is right."""

UNSAID: Mapping[tuple[str, str], str] = {
    ("Never begun", "subagent.times"): "nobody is refused twice for the same",
}
"""The same of columns of the tables of spans."""


def rules() -> list[Any]:
    found = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(RULES.glob("*.yaml"))]
    return [rule for file in found for group in file["groups"] for rule in group["rules"]]


def questions() -> set[str]:
    """Every query of every panel, every recorded series; and the series that those and the alerts
    are made of, for `or vector(0)` says something in any case, and an alert nothing as a rule."""
    panels = {each.filled for each in dashboards.PROMQL}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    whole = panels | {rule["expr"] for rule in rules()}
    return panels | recorded | {inner for each in whole for inner in inside(each)}


def inside(expression: str) -> set[str]:
    """The series that an expression is made of, unless it is one itself."""
    if len(parts(expression)) == 1:
        return set()
    return {str(each) for each in selectors(expression)}


async def test_every_panel_and_every_rule_finds_what_it_asks_for(tmp_path: Path) -> None:
    sink = OtlpSink()
    with sink.running():
        config = {
            **story.CONFIG,
            **story.pushing(tmp_path),
            "otlp_endpoint": sink.url,
            "store": f"sqlite:///{tmp_path}/s.db",
        }
        async with (
            desk(tmp_path, story.POLICY, **config) as at,
            scraping(tmp_path, at.admin_port, rules=sorted(RULES.glob("*.yaml"))) as prometheus,
        ):
            await prometheus.target()
            await prometheus.value_when("sum(subagent_tasks_started_total)", 0)
            await story.happens(at, prometheus)
            await story.a_policy_cannot_be_used(at, tmp_path)
            silent = questions()
            assert silent >= EMPTY.keys()
            await eventually_got(
                lambda: _still(silent, prometheus),
                lambda silent: silent == EMPTY.keys(),
                within=WITHIN,
            )
            await _the_rules_are_well(prometheus)
            await _it_knows_what_they_mean(prometheus)
            await eventually_got(
                lambda: _missing(sink), lambda missing: missing == set(UNSAID), within=WITHIN
            )


async def _still(silent: set[str], prometheus: Prometheus) -> set[str]:
    """Those that have nothing to say even now; the others need not be asked again."""
    silent -= {each for each in silent if await prometheus.tells(each)}
    return silent


async def _the_rules_are_well(prometheus: Prometheus) -> None:
    found = await eventually_got(prometheus.rules, _all_evaluated, within=WITHIN)
    assert [rule["name"] for rule in found if rule["health"] != "ok"] == []
    firing = [rule["name"] for rule in found if rule.get("state") == "firing"]
    assert firing == ["SubagentBudgetExhausted"]


def _all_evaluated(rules: list[Any]) -> bool:
    return bool(rules) and all(rule["health"] != "unknown" for rule in rules)


async def _it_knows_what_they_mean(prometheus: Prometheus) -> None:
    metadata = await prometheus.get("metadata", metric="subagent_tasks_started")
    [told] = metadata["subagent_tasks_started"]  # the name that OpenMetrics gives it
    assert told["type"] == "counter" and told["help"].startswith("Tasks whose first run")


async def _missing(sink: OtlpSink) -> set[tuple[str, str]]:
    """Columns of the tables of spans that no span has: by what was exported, for there is no Tempo
    here."""
    missing = set()
    for table in dashboards.TABLES:
        spans = traceql.found(table.filled, list(sink.spans))
        for column in traceql.columns(table.filled):
            if not any(column in span.attributes for span in spans):
                missing.add((table.panel, column))
    return missing


async def test_promtool_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    promtool = program("promtool")
    async with desk(tmp_path, POLICY) as at:
        page = (await at.admin.call("GET", "/metrics")).body
    checking = await asyncio.create_subprocess_exec(
        promtool, "check", "metrics", stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await checking.communicate(page)
    assert (checking.returncode, said) == (0, b"")
