"""Starting other_process.py, talking to it, and leaving none behind."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_PATIENCE_S = 60.0


class Other:
    """A running other process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout

    async def says(self) -> str:
        """Its next line."""
        line = await asyncio.wait_for(self._stdout.readline(), _PATIENCE_S)
        return line.decode().strip()

    def go(self) -> None:
        """The line it waits for."""
        self._stdin.write(b"go\n")

    async def ended(self) -> int:
        return await asyncio.wait_for(self._process.wait(), _PATIENCE_S)

    async def kill(self) -> list[str]:
        """SIGKILL; the lines it had still said."""
        if self._process.returncode is None:
            self._process.kill()
        rest = await self._stdout.read()
        await self._process.wait()
        return rest.decode().split()


@asynccontextmanager
async def other(what: str, path: Path, *more: str) -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.store.other_process",
        what,
        str(path),
        *more,
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    running = Other(process)
    try:
        yield running
    finally:
        await running.kill()
