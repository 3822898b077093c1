"""The alert and recording rules, by Prometheus' own judgement."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

from tests.integration.budgets.rig import desk
from tests.support.prometheus import ROOT, WITHIN, Prometheus, program, scraping
from tests.support.waiting import eventually_got

RULES = ROOT / "dashboards" / "alerts"


async def promtool(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        program("promtool"), *arguments, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_the_rules_are_well_formed() -> None:
    code, said = await promtool("check", "rules", *map(str, sorted(RULES.glob("*.yaml"))))
    assert code == 0, said


async def test_each_alert_fires_when_it_should_and_only_then() -> None:
    code, said = await promtool("test", "rules", *map(str, sorted(RULES.glob("tests/*.yaml"))))
    assert code == 0, said


POLICY = {"budgets": [{"name": "usd", "usd": 5, "per": "session"}]}


async def test_over_a_running_sidecar_every_rule_can_be_evaluated(tmp_path: Path) -> None:
    async with (
        desk(tmp_path, POLICY) as at,
        scraping(tmp_path, at.admin_port, rules=sorted(RULES.glob("*.yaml"))) as prometheus,
    ):
        await prometheus.target()
        for _ in range(3):
            task, _ = await at.start("quick")
            await at.task_when(task, status="success")
        await prometheus.value_when("sum(subagent_tasks_finished_total)", 3)
        found = await eventually_got(
            lambda: _rules(prometheus), lambda r: all(map(_evaluated, r)), within=WITHIN
        )
        assert [rule["name"] for rule in found if rule["health"] != "ok"] == []
        assert [rule["name"] for rule in found if rule.get("alerts")] == []
        await prometheus.value_when("count(job_upstream_agent:subagent_tasks_started:rate5m)", 2)


async def _rules(prometheus: Prometheus) -> list[Any]:
    groups = (await prometheus.get("rules"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _evaluated(rule: Any) -> bool:
    return bool(rule["health"] != "unknown")
