"""What the compose file starts, by the judgement of the programs themselves, where they are.

They are in no package index, so most machines have none of them; nothing is started.
"""

import asyncio
import shutil
from asyncio.subprocess import PIPE, STDOUT

import pytest
from tests.support.prometheus import RULES

FOLDER = RULES.parent


async def said(*command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, cwd=FOLDER)
    text, _ = await process.communicate()
    return process.returncode, text.decode(errors="replace")


async def test_a_collector_takes_its_configuration() -> None:
    collector = shutil.which("otelcol") or shutil.which("otelcol-contrib")
    if collector is None:
        pytest.skip("there is no otelcol, or otelcol-contrib, on PATH")
    code, text = await said(collector, "validate", "--config=compose/collector.yaml")
    assert code == 0, text


@pytest.mark.parametrize("more", [(), ("-f", "compose.desktop.yaml")], ids=["linux", "desktop"])
async def test_compose_takes_its_files(more: tuple[str, ...]) -> None:
    docker = shutil.which("docker")
    if docker is None or (await said(docker, "compose", "version"))[0] != 0:
        pytest.skip("there is no `docker compose`")
    code, text = await said(docker, "compose", "-f", "compose.yaml", *more, "config", "--quiet")
    assert code == 0, text
