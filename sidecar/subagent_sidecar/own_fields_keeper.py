"""Takes up credentials for upstreams that were replaced, without a restart.

Their files are read again when asked (SIGHUP) and when they have changed. What cannot be used
changes nothing: requests go on with the credentials there were, and the log says why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from .file_looks import Look, Settling, look
from .own_fields import OwnFields

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 2.0


class OwnFieldsKeeper:
    """`kept` by the upstream's name."""

    def __init__(
        self,
        kept: Mapping[str, OwnFields],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kept = kept
        self._paths = tuple({path: None for each in kept.values() for path in each.files})
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
        for upstream, own in self._kept.items():
            changed, problems = await asyncio.to_thread(own.renew)
            for problem in problems:
                _log.error(
                    "credential for upstream %s not renewed, the one before stays in use (%s): %s",
                    upstream,
                    why,
                    problem,
                    extra={"action": "credential_not_renewed"},
                )
            for name in changed:
                extra = {"action": "credential_renewed"}
                _log.info(
                    "credential for upstream %s renewed (%s): %s", upstream, why, name, extra=extra
                )

    def _look(self) -> Look:
        return look(self._paths)
