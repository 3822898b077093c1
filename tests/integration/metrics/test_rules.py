"""The alert and recording rules, by Prometheus' own judgement."""

import asyncio
import shutil
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from tests.support.prometheus import RULES, program


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


async def test_the_configuration_of_the_compose_file_is_one(tmp_path: Path) -> None:
    shutil.copy(RULES.parent / "compose" / "prometheus.yml", tmp_path)
    shutil.copytree(RULES, tmp_path / "alerts")
    (tmp_path / "sidecars.json").write_text('[{"targets": ["127.0.0.1:8461"]}]', "utf-8")
    code, said = await promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert code == 0 and "WARNING" not in said, said
