"""Handing batches of spans to an exporter that may take its time, or never come back.

The OpenTelemetry SDK's own processor is not used: against a dead endpoint its flush of two seconds
took 33, and said that all went well; what does not fit its queue is lost behind one line in a log.
Here one batch is on its way at a time, on a thread of its own which nobody waits for longer than he
wants to, not even the end of the process. What comes after waits in the record.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

_log = logging.getLogger(__name__)

Item_contra = TypeVar("Item_contra", contravariant=True)
Item = TypeVar("Item")


class Sender(Protocol[Item_contra]):
    """What takes spans, or metrics, out of here; called on one thread, and blocking as long as it
    likes."""

    @property
    def problem(self) -> str:
        """Why nothing was taken the last time, if that is known."""

    @property
    def rejected(self) -> int:
        """How many items of what was taken were not, all told, as the endpoint says."""

    def send(self, items: Sequence[Item_contra], /) -> bool:
        """Whether they were taken. May raise what it wants."""

    def close(self) -> None:
        """Give up what is under way. Called from another thread."""


_Job = tuple[Sequence[Item], "asyncio.Future[bool]"]


class Exporting(Generic[Item]):
    """One batch at a time. `sender` is called to make it, on the thread that uses it: loading an
    exporter takes over a second."""

    def __init__(self, sender: Callable[[], Sender[Item]], *, thread: str = "trace-export") -> None:
        self._make = sender
        self._sender: Sender[Item] | None = None
        self._problem = ""
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[tuple[Sequence[Item], asyncio.Future[bool]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._main, name=thread, daemon=True)
        self._thread.start()

    def send(self, items: Sequence[Item]) -> "asyncio.Future[bool]":
        """Whether they were taken, when that is known."""
        taken: asyncio.Future[bool] = self._loop.create_future()
        self._jobs.put((items, taken))
        return taken

    @property
    def problem(self) -> str:
        """See Sender."""
        return self._problem or ("" if self._sender is None else self._sender.problem)

    @property
    def rejected(self) -> int:
        """See Sender."""
        return 0 if self._sender is None else self._sender.rejected

    def close(self) -> None:
        """Returns at once; what is under way is told to give up."""
        self._jobs.put(None)
        if self._sender is not None:  # which may take its time for that, too
            threading.Thread(target=self._sender.close, name="trace-close", daemon=True).start()

    def _main(self) -> None:
        while (job := self._jobs.get()) is not None:
            items, taken = job
            answer = self._send(items)
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
                self._loop.call_soon_threadsafe(_tell, taken, answer)

    def _send(self, items: Sequence[Item]) -> bool:
        try:
            if self._sender is None:
                self._sender = self._make()
            self._problem = ""
            return self._sender.send(items)
        except Exception as error:  # noqa: BLE001 - whatever an exporter does, nothing was taken
            self._problem = f"the exporter fails with {type(error).__name__}"
            _log.debug("an exporter failed: %s", error, extra={"action": "export_failed"})
            return False


def _tell(taken: "asyncio.Future[bool]", answer: bool) -> None:
    if not taken.done():
        taken.set_result(answer)
