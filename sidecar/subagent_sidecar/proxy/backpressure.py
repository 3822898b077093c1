"""A connection whose client may not take what it is sent."""

import asyncio


class Drained(asyncio.Protocol):
    """The half of a protocol that waits for its client. `transport` is None once it has left."""

    __slots__ = ("_drained", "_loop", "transport", "writing_paused")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._drained: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.writing_paused = False

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        self._wake(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.transport = None
        self._wake(exc)

    async def drain(self) -> None:
        """Wait until the client has taken what it was sent."""
        if self.transport is None or not self.writing_paused:
            return
        if self._drained is None:
            self._drained = self._loop.create_future()
        await self._drained

    def _wake(self, error: BaseException | None) -> None:
        drained, self._drained = self._drained, None
        if drained is None or drained.done():
            return
        if error is None:
            drained.set_result(None)
        else:
            drained.set_exception(ConnectionResetError("the client left"))
