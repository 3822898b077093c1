"""A real Prometheus, where there is one: what it makes of `/metrics`."""

import asyncio
import json
import math
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tests.support import parts
from tests.support.ports import free_port
from tests.support.waiting import eventually_got

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".prometheus" / "usr" / "bin"
"""Where scripts/fetch-prometheus.sh puts Debian's package."""

RULES = ROOT / "dashboards" / "alerts"
"""The rules that come with the sidecar."""

WITHIN = 30.0

_GLOBAL = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "500ms")


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`; skips where there is none."""
    found = shutil.which(name, path=f"{UNPACKED}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        parts.missing(
            "prometheus", f"there is no {name}: scripts/fetch-prometheus.sh gets Debian's package"
        )
    return found


@dataclass(frozen=True)
class Prometheus:
    """Scrapes one target twice a second."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **query: str) -> Any:
        async with self.session.get(f"{self.url}/api/v1/{path}", params=query) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        return answer["data"]

    async def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and the value of each series that an expression gives now."""
        data = await self.get("query", query=expression)
        return [(one["metric"], float(one["value"][1])) for one in data["result"]]

    async def tells(self, expression: str) -> bool:
        """Whether it has anything to say: a number is not one that no observation made."""
        return any(not math.isnan(value) for _, value in await self.query(expression))

    async def value(self, expression: str) -> float | None:
        """Of an expression that gives one series, or none."""
        found = await self.query(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    async def value_when(self, expression: str, wanted: float) -> None:
        """Return once the expression has that value."""
        await eventually_got(
            lambda: self.value(expression), lambda value: value == wanted, within=WITHIN
        )

    async def rules(self) -> list[Any]:
        """All rules, with how their last evaluation went."""
        groups = (await self.get("rules"))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def target(self) -> Any:
        """The target, once a scrape of it went well; the error shows why none did."""
        found = await eventually_got(
            self._targets, lambda t: bool(t) and t[0]["health"] == "up", within=WITHIN
        )
        return found[0]

    async def _targets(self) -> Any:
        return (await self.get("targets"))["activeTargets"]


@asynccontextmanager
async def scraping(
    folder: Path, target_port: int, *, rules: Sequence[Path] = ()
) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes 127.0.0.1:`target_port` and goes by `rules`, all at once every
    half second; its data in `folder`."""
    server = program("prometheus")
    path = folder / "prometheus.yml"
    targets = [{"targets": [f"127.0.0.1:{target_port}"]}]
    scrapes = [{"job_name": "subagent-sidecar", "static_configs": targets}]
    config = {
        "global": _GLOBAL,
        "scrape_configs": scrapes,
        "rule_files": [str(_hurried(folder, each)) for each in rules],
    }
    path.write_text(json.dumps(config), "utf-8")
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            server,
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession() as session:
            prometheus = Prometheus(f"http://127.0.0.1:{port}", session)
            await eventually_got(lambda: _ready(prometheus), bool, within=WITHIN)
            yield prometheus
    finally:
        process.kill()
        await process.wait()


def _hurried(folder: Path, rules: Path) -> Path:
    """The rules without intervals of their own: a test does not wait for half a minute."""
    loaded = yaml.safe_load(rules.read_text("utf-8"))
    for group in loaded["groups"]:
        group.pop("interval", None)
    path = folder / f"hurried-{rules.name}"
    path.write_text(yaml.safe_dump(loaded), "utf-8")
    return path


async def _ready(prometheus: Prometheus) -> bool:
    try:
        async with prometheus.session.get(f"{prometheus.url}/-/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
