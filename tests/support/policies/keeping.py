"""A policy keeper over two files, whose looks at them a test takes one by one."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from subagent_sidecar import policy_file
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.errors import PolicyInvalid
from subagent_sidecar.policy_keeper import PolicyFiles, PolicyKeeper
from subagent_sidecar.service import Service
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

BAD = "version: 1\nlimits:\n  - {name: x, depth: 1, starts: 2}\n  - {name: y, deepth: 1}\n"


def policy(*rules: str) -> str:
    """A file with rules of these names."""
    return "version: 1\nlimits:\n" + "".join(
        f"  - {{name: {name}, match: {{agent: {name}}}, depth: 1}}\n" for name in rules
    )


class Looks:
    """Stands for the pause between two looks at the files: each lasts until `one` is called."""

    def __init__(self) -> None:
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def one(self) -> None:
        """Let the next look be taken, with all that comes of it."""
        await self._asleep.wait()
        self._asleep.clear()
        self._wake.set()
        await self._asleep.wait()


class Desk:
    """A keeper over `first.yaml` and `second.yaml`, and a service that goes by it."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = folder / "first.yaml", folder / "second.yaml"
        self._mtime = 10**18
        self.write(self.first, policy("a"))
        self.write(self.second, policy("b", "c"))
        self.clock, self.looks = FakeClock(), Looks()
        paths = [self.first, self.second]
        files = PolicyFiles([str(path) for path in paths], paths, policy_file.load)
        self.service = Service(store=MemoryStore(), clock=self.clock)
        self.keeper = PolicyKeeper(
            files=files,
            first=files.read("2026-01-01T00:00:00.000000Z"),
            seen=files.look(),
            clock=self.clock,
            sleep=self.looks.sleep,
        )
        self.keeper.follow(self._enforce)

    def _enforce(self, policy: Policy) -> None:
        self.service.policy = policy

    def write(self, path: Path, text: str) -> None:
        """So that it shows from outside, however fast one write follows another."""
        path.write_text(text, "utf-8", errors="surrogatepass")
        self._mtime += 1_000
        os.utime(path, ns=(self._mtime, self._mtime))

    @property
    def rules(self) -> list[str]:
        return [rule.name for rule in self.service.policy.rules]

    async def refused(self) -> tuple[str, ...]:
        with pytest.raises(PolicyInvalid) as error:
            await self.keeper.reload(why="a test")
        return error.value.problems

    @contextmanager
    def watching(self) -> Iterator[None]:
        task = spawn(self.keeper.watch(), name="watch", awaited=True)
        try:
            yield
        finally:
            task.cancel()
