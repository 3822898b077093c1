"""The event stream of one run: kept whole, followed live, told apart by ids."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any


def compact(value: Any) -> bytes:
    """JSON as langgraph-api writes it: no spaces, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Event:
    event_id: str
    name: str
    data: bytes

    def encode(self, *, with_id: bool) -> bytes:
        """Server-sent-event text, CRLF as on the real wire; the id comes last, as there."""
        lines = [b"event: " + self.name.encode(), b"data: " + self.data]
        if with_id:
            lines.append(b"id: " + self.event_id.encode())
        return b"\r\n".join([*lines, b"", b""])


class EventLog:
    """Append-only until closed. Ids are `<milliseconds>-0` and strictly grow."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False
        self._grown = asyncio.Event()
        self._last_millis = 0

    def append(self, name: str, data: Any, now: datetime) -> None:
        if self.closed:
            return
        self._last_millis = max(self._last_millis + 1, int(now.timestamp() * 1000))
        self.events.append(Event(f"{self._last_millis}-0", name, compact(data)))
        self._wake()

    def close(self) -> None:
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    def after(self, event_id: str) -> int:
        """Where to go on after `event_id`; ids compare as text, so "-1" means from the start."""
        return next(
            (i for i, event in enumerate(self.events) if event.event_id > event_id),
            len(self.events),
        )

    async def follow(self, start: int, heartbeat: float) -> AsyncGenerator[Event | None, None]:
        """Events from `start` on until the log closes; None after each silent `heartbeat`."""
        position = start
        while True:
            while position < len(self.events):
                yield self.events[position]
                position += 1
            if self.closed:
                return
            try:
                await asyncio.wait_for(self._grown.wait(), heartbeat)
            except TimeoutError:
                yield None
