"""Takes up tokens of the admin plane that were replaced, without a restart.

Their files are read again when asked (SIGHUP) and when they have changed. What cannot be used
changes nothing, and the log says why; one whose file was removed lets nobody in any more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .admin_tokens import AdminTokens
from .file_looks import Look, Settling, look

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 2.0


class AdminTokenKeeper:
    def __init__(
        self,
        tokens: AdminTokens,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tokens = tokens
        self._settling = Settling(self._look())
        self._sleep = sleep

    async def watch(self) -> None:
        """Take up what has changed and come to rest, for ever."""
        while True:
            await self._sleep(_LOOK_EVERY_S)
            if self._settling.news(await asyncio.to_thread(self._look)):
                await self.renew(why="a file has changed")

    async def heed(self, asked: asyncio.Event) -> None:
        """Read the files again whenever `asked` is set, for ever."""
        while True:
            await asked.wait()
            asked.clear()
            await self.renew(why="SIGHUP")

    async def renew(self, *, why: str) -> None:
        self._settling.read = await asyncio.to_thread(self._look)
        done = await asyncio.to_thread(self._tokens.renew)
        for problem in done.problems:
            extra = {"action": "admin_token_not_renewed"}
            _log.error("admin token not renewed (%s): %s", why, problem, extra=extra)
        for name in done.changed:
            extra = {"action": "admin_token_renewed"}
            _log.info("admin token renewed (%s): %s", why, name, extra=extra)
        for name in done.gone:
            extra = {"action": "admin_token_gone"}
            _log.warning(
                "admin token '%s' lets nobody in any more (%s): its file is gone",
                name,
                why,
                extra=extra,
            )

    def _look(self) -> Look:
        return look(self._tokens.files)
