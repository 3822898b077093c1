"""Keeps what the listeners show: a renewed certificate is taken up without a restart.

Its files are read again when asked (SIGHUP) and when they have changed. What cannot be used changes
nothing: connections go on being taken with the certificate there was, and the log says why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from .file_looks import Look, Settling, look
from .tls import BadFile, Renewable

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0


class CertificateKeeper:
    """`kept` are the listeners' contexts."""

    def __init__(
        self,
        kept: Iterable[Renewable],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kept = tuple(kept)
        self._paths = tuple({path: None for each in self._kept for path in each.files.all})
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
        renewed, mistakes = set(), set()  # both listeners may show the same
        for each in self._kept:
            try:
                await asyncio.to_thread(each.renew)
                renewed.add(each.files.cert)
            except BadFile as error:
                mistakes.add(str(error))
        for mistake in sorted(mistakes):
            extra = {"action": "certificate_not_renewed"}
            _log.error("certificate not renewed (%s): %s", why, mistake, extra=extra)
        for cert in sorted(renewed):
            extra = {"action": "certificate_renewed"}
            _log.info("certificate read again (%s): %s", why, cert, extra=extra)

    def _look(self) -> Look:
        return look(self._paths)
