"""A real Prometheus reads `/metrics`, and promtool finds nothing to say against it."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

from tests.integration.budgets.rig import desk
from tests.support.prometheus import RULES, WITHIN, program, scraping
from tests.support.waiting import eventually_got

POLICY = {"limits": [{"name": "few", "concurrent": 1, "per": "session"}]}


async def test_prometheus_answers_questions_about_a_sidecar_and_goes_by_the_rules(
    tmp_path: Path,
) -> None:
    rules = sorted(RULES.glob("*.yaml"))
    async with (
        desk(tmp_path, POLICY) as at,
        scraping(tmp_path, at.admin_port, rules=rules) as prometheus,
    ):
        await prometheus.target()
        await prometheus.value_when("sum(subagent_tasks_started_total)", 0)
        task, _ = await at.start("quick")
        await at.task_when(task, status="success")
        await at.start("idle")
        assert (await at.start("idle"))[1].status == 403
        await prometheus.value_when('sum(subagent_tasks_live{agent="idle"})', 1)
        await prometheus.value_when("sum(subagent_tasks_started_total)", 2)
        await prometheus.value_when('subagent_starts_refused_total{rule="few"}', 1)
        quantile = "histogram_quantile(0.5, sum by (le) (subagent_run_duration_seconds_bucket))"
        await eventually_got(
            lambda: prometheus.value(quantile), lambda value: (value or 0) > 0, within=WITHIN
        )
        await prometheus.value_when("subagent_upstream_up", 1)
        metadata = await prometheus.get("metadata", metric="subagent_tasks_started")
        [told] = metadata["subagent_tasks_started"]  # the name that OpenMetrics gives it
        assert told["type"] == "counter" and told["help"].startswith("Tasks whose first run")

        recorded = "count(job_upstream_agent:subagent_tasks_started:rate5m)"
        await prometheus.value_when(recorded, 3)  # two agents, and the place for others
        found = await eventually_got(prometheus.rules, _all_evaluated, within=WITHIN)
        assert [rule["name"] for rule in found if rule["health"] != "ok"] == []
        assert [rule["name"] for rule in found if rule.get("state") == "firing"] == []


def _all_evaluated(rules: list[Any]) -> bool:
    return bool(rules) and all(rule["health"] != "unknown" for rule in rules)


async def test_promtool_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    promtool = program("promtool")
    async with desk(tmp_path, POLICY) as at:
        page = (await at.admin.call("GET", "/metrics")).body
    checking = await asyncio.create_subprocess_exec(
        promtool, "check", "metrics", stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await checking.communicate(page)
    assert (checking.returncode, said) == (0, b"")
