"""The gatekeeper: makes a subagent in another process wait, and knows where it stands.

A subagent told `gate=HOST:PORT/NAME` (see `app/instructions.py`) connects, says the name and waits
for a line. So a test can await "the subagent is at work" and decide when it ends, without a sleep.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gatekeeper:
    """Gates by name. A gate is made by its first mention, from either side."""

    def __init__(self) -> None:
        self._reached: dict[str, asyncio.Event] = {}
        self._left: dict[str, asyncio.Event] = {}
        self._open: dict[str, asyncio.Event] = {}
        self._address = ""

    def order(self, name: str) -> str:
        """The word for an instruction that sends its reader to gate `name`."""
        return f"gate={self._address}/{name}"

    async def reached(self, name: str) -> None:
        """Returns when a subagent stands at the gate."""
        await _event(self._reached, name).wait()

    async def left(self, name: str) -> None:
        """Returns when that subagent is gone: let through, or stopped where it stood."""
        await _event(self._left, name).wait()

    def open(self, name: str) -> None:
        _event(self._open, name).set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readline()).decode().strip()
        _event(self._reached, name).set()
        opened = asyncio.ensure_future(_event(self._open, name).wait())
        hung_up = asyncio.ensure_future(reader.read())
        await asyncio.wait({opened, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        if not hung_up.done():
            writer.write(b"go\n")
        await hung_up
        opened.cancel()
        writer.close()
        _event(self._left, name).set()


def _event(events: dict[str, asyncio.Event], name: str) -> asyncio.Event:
    return events.setdefault(name, asyncio.Event())


@asynccontextmanager
async def gatekeeper() -> AsyncIterator[Gatekeeper]:
    """Serve gates on a port of this machine; those still waiting at the end go through."""
    keeper = Gatekeeper()
    server = await asyncio.start_server(keeper._serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    keeper._address = f"{host}:{port}"
    try:
        yield keeper
    finally:
        server.close()
