"""What the demo is made of: three commands, where they listen, and when they are ready."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from .processes import free_ports

AGENTS = ("researcher", "coder")
_HOST = "127.0.0.1"
_NEEDED = ("deepagents", "langgraph_cli", "langgraph_api", "langgraph_runtime_inmem")
_ASK_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Ports:
    """The agent server's port, and the sidecar's two."""

    server: int
    data: int
    admin: int

    @classmethod
    def free(cls) -> "Ports":
        return cls(*free_ports(3))

    @property
    def server_url(self) -> str:
        return f"http://{_HOST}:{self.server}"

    @property
    def data_url(self) -> str:
        return f"http://{_HOST}:{self.data}"

    @property
    def admin_url(self) -> str:
        return f"http://{_HOST}:{self.admin}"

    def server_argv(self, config: Path) -> list[str]:
        """`langgraph dev`; without the jobs option it would run one task at a time."""
        where = ["--config", str(config), "--host", _HOST, "--port", str(self.server)]
        how = ["--no-browser", "--no-reload", "--n-jobs-per-worker", "10"]
        return [sys.executable, "-m", "langgraph_cli", "dev", *where, *how]

    def sidecar_argv(self, store: Path) -> list[str]:
        listen = [f"--listen={_HOST}:{self.data}", f"--admin-listen={_HOST}:{self.admin}"]
        options = [f"--upstream={self.server_url}", *listen, f"--store=sqlite:///{store}"]
        return [sys.executable, "-m", "subagent_sidecar", "serve", *options]

    def supervisor_argv(self) -> list[str]:
        return [sys.executable, "-m", f"{__package__}.supervisor", self.data_url]

    def tasks_argv(self) -> list[str]:
        return [sys.executable, "-m", "subagentctl", "tasks", "--all", "--server", self.admin_url]


def write_langgraph_json(directory: Path) -> Path:
    """The agent server's configuration: the graphs are those of the installed package."""
    graphs = {agent: f"{__package__}.graphs:{agent}" for agent in AGENTS}
    config = directory / "langgraph.json"
    config.write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    return config


def missing_packages(
    find: Callable[[str], object | None] = importlib.util.find_spec,
) -> list[str]:
    """Which packages of the `demo` extra are not installed."""
    return [name for name in _NEEDED if find(name) is None]


async def answers(session: aiohttp.ClientSession, url: str) -> None:
    """Return once `url` answers 200."""
    while True:
        try:
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(_ASK_EVERY_SECONDS)
