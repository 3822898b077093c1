"""Sending on what others sent, on a thread of its own: nobody waits for an endpoint but this.

What waits to be sent is bounded by whoever puts it here. While an endpoint cannot be reached, or
says "later", what waits is kept and offered again; what it refuses is dropped and counted.
"""

import asyncio
import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ...core.repeats import Repeats
from ..poster import Later, Poster, Refused, Result, Taken

_log = logging.getLogger(__name__)

_TOGETHER = 1024 * 1024
"""Bytes. Requests that follow one another are one, as far as that: encoded ones can simply be put
in a row."""
_AGAIN_S, _LONGEST_S, _LONGEST_ASKED_S = 0.5, 30.0, 60.0
_SAID_AGAIN_S = 60.0
_TRIES = 3
"""After so many answers of "later" it is asked whether it is the batch or the endpoint."""


@dataclass(slots=True)
class RelayNumbers:
    """Of spans, since this process began, but for `failed`: attempts that were in vain."""

    sent: int = 0
    failed: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: {"refused": 0, "shutdown": 0})


@dataclass(frozen=True, slots=True)
class _Batch:
    payload: bytes
    spans: int


class Relay:
    """`poster` is called to make it, on the thread that uses it: loading it takes its time. `now`
    reads seconds on a clock that never jumps."""

    def __init__(self, poster: Callable[[], Poster], *, now: Callable[[], float]) -> None:
        self.numbers = RelayNumbers()
        self._now = now
        self._repeats = Repeats(_SAID_AGAIN_S)
        self._make = poster
        self._poster: Poster | None = None
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._changed = threading.Condition()
        self._queue: deque[_Batch] = deque()
        self._bytes = 0
        self._spans = 0
        self._closing = self._over = False
        self._failing = False
        self._thread: threading.Thread | None = None

    @property
    def waiting_bytes(self) -> int:
        """What waits, and what is under way."""
        return self._bytes

    def put(self, payload: bytes, spans: int) -> None:
        """Returns at once."""
        with self._changed:
            self._queue.append(_Batch(payload, spans))
            self._bytes += len(payload)
            self._spans += spans
            if self._thread is None:
                self._thread = threading.Thread(target=self._main, name="otlp-relay", daemon=True)
                self._thread.start()
            self._changed.notify()

    async def aclose(self, within_s: float) -> None:
        """Send what waits, each once more, as long as there is time; then give up."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            running = self._thread is not None
        if running:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._gone.wait()
        with self._changed:
            self._over = True
            self.numbers.dropped["shutdown"] += self._spans
            self._spans = self._bytes = 0
            self._queue.clear()
        if self._poster is not None:  # which may take its time for that
            threading.Thread(target=self._poster.close, name="otlp-close", daemon=True).start()
        if dropped := self.numbers.dropped["shutdown"]:
            _log.warning(
                "%d spans of others were dropped: nobody took them in time",
                dropped,
                extra={"action": "otlp_dropped"},
            )

    def _main(self) -> None:
        while (batch := self._next()) is not None:
            self._deliver(batch)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._gone.set)

    def _next(self) -> _Batch | None:
        """What is to be sent next; None when all is sent and nothing will come."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                self._changed.wait()
            taken = [self._queue.popleft()]
            size = len(taken[0].payload)
            while self._queue and size + len(self._queue[0].payload) <= _TOGETHER:
                taken.append(self._queue.popleft())
                size += len(taken[-1].payload)
        if len(taken) == 1:
            return taken[0]
        return _Batch(b"".join(each.payload for each in taken), sum(each.spans for each in taken))

    def _deliver(self, batch: _Batch) -> None:
        """Until it was taken, refused, or there is no more time."""
        tries = answers = 0
        while True:
            result = self._post(batch.payload)
            if isinstance(result, Taken):
                return self._done(batch, rejected=result.rejected)
            if isinstance(result, Refused):
                return self._refused(batch, result.why)
            tries += 1
            answers += result.reached
            if answers >= _TRIES and isinstance(self._post(b""), Taken):
                # Whoever listens is well, and wants everything but this.
                return self._refused(batch, result.why)
            self._did_not_take(result)
            if not self._pause(result, tries):
                return self._last_try(batch)

    def _last_try(self, batch: _Batch) -> None:
        if isinstance(result := self._post(batch.payload), Taken):
            return self._done(batch, rejected=result.rejected)
        with self._changed:
            if not self._over:
                self.numbers.dropped["shutdown"] += batch.spans
                self._account(batch)

    def _post(self, payload: bytes) -> Result:
        try:
            if self._poster is None:
                self._poster = self._make()
            return self._poster.post(payload)
        except Exception as error:  # noqa: BLE001 - whatever it does, nothing was taken
            return Later(f"sending fails with {type(error).__name__}", None, reached=False)

    def _pause(self, result: Later, tries: int) -> bool:
        """Wait until it may be tried again; False if there is no more time for that."""
        wait_s = min(_AGAIN_S * 2 ** min(tries - 1, 10), _LONGEST_S)
        if result.after_s is not None:
            wait_s = max(wait_s, min(result.after_s, _LONGEST_ASKED_S))
        with self._changed:
            self._changed.wait_for(lambda: self._closing, wait_s * random.uniform(0.8, 1.2))
            return not self._closing

    def _done(self, batch: _Batch, *, rejected: int = 0) -> None:
        rejected = min(rejected, batch.spans)
        with self._changed:
            if self._over:
                return
            self.numbers.sent += batch.spans - rejected
            self.numbers.dropped["refused"] += rejected
            self._account(batch)
        if self._failing:
            self._failing = False
            _log.info("spans of others are taken again", extra={"action": "otlp_taken"})

    def _refused(self, batch: _Batch, why: str) -> None:
        with self._changed:
            if self._over:
                return
            self.numbers.dropped["refused"] += batch.spans
            self._account(batch)
        if self._repeats.held_back(why, self._now()) is None:
            return
        _log.warning(
            "%d spans of others were dropped: the OTLP endpoint does not want them: %s",
            batch.spans,
            why,
            extra={"action": "otlp_refused"},
        )

    def _account(self, batch: _Batch) -> None:
        self._bytes -= len(batch.payload)
        self._spans -= batch.spans

    def _did_not_take(self, result: Later) -> None:
        self.numbers.failed += 1
        if not self._failing:
            self._failing = True
            _log.warning(
                "spans of others are not taken: the OTLP endpoint cannot be reached, or wants them "
                "later: %s. They are offered again, and emitters are told to wait when there are "
                "too many",
                result.why,
                extra={"action": "otlp_wait"},
            )
