"""Which files are read again while the sidecar runs, and who hears that it is asked."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from ..file_keeper import FileKeeper, Renew
from .lifetimes import spawned


class Renewing:
    """Until the stack is left."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._keepers: list[FileKeeper] = []

    def keep(self, files: Iterable[Path], renew: Renew, *, name: str) -> FileKeeper:
        """Have `renew` called when the files change, and when it is asked."""
        keeper = FileKeeper(files, renew)
        self._keepers.append(keeper)
        spawned(self._stack, keeper.watch(), name=f"watch {name}")
        return keeper

    def heed(self, asked: asyncio.Event) -> None:
        """Have all files read again whenever `asked` is set: also when that is while it is done."""
        spawned(self._stack, self._heed(asked), name="renew when asked")

    async def _heed(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            for keeper in self._keepers:
                await keeper.renew(why="SIGHUP")
