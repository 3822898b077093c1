"""Takes up files that were replaced while the sidecar runs, without a restart.

They are read again when they have changed and come to rest, or when it is asked (SIGHUP). What is
then done is `renew`'s: it must leave things as they are where what it finds cannot be used.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from .file_looks import Look, Settling, look

_LOOK_EVERY_S = 2.0

Renew = Callable[[str], Awaitable[None]]
"""Reads files again; is told why, for the log."""


class FileKeeper:
    def __init__(
        self,
        files: Iterable[Path],
        renew: Renew,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._files = tuple(dict.fromkeys(files))
        self._renew = renew
        self._settling = Settling(look(self._files))
        self._sleep = sleep
        self._one_at_a_time = asyncio.Lock()

    async def watch(self) -> None:
        """Take up what has changed and come to rest, for ever."""
        while True:
            await self._sleep(_LOOK_EVERY_S)
            if self._settling.news(await self._look()):
                await self.renew(why="a file has changed")

    async def renew(self, *, why: str) -> None:
        """One after the other: else what was read first could be taken up last."""
        async with self._one_at_a_time:
            self._settling.read = await self._look()
            await self._renew(why)

    async def _look(self) -> Look:
        return await asyncio.to_thread(look, self._files)
