"""The alert and recording rules, by Prometheus' own judgement."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT

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
