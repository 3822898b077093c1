"""What emitters send: taken in, sorted by whose it is, and sent on.

A request is answered when what is in it has a place: waiting to be sent, or held until it is known
whose it is. Both places together are bounded; when they are full emitters are told to come again,
as OTLP has it, and keep what they have.
"""

import asyncio
import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ...core.matching import Scope
from ...core.model import TaskRecord
from ...core.otlp import Encoding
from ...core.principal import ANONYMOUS, Principal
from ...core.rehoming.homes import NOBODYS, Fate, Home, Mode, fate, of_start
from ...core.rehoming.mentions import Mention
from ...core.rehoming.traces import Limits
from ...core.spans_seen import SpansSeen
from ...errors import StoreError, TelemetryFull
from ...ports import Store
from .desks import Desk, Desks
from .relay import Relay, RelayNumbers
from .steps import by_steps

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
"""How often it is looked whether it is known by now whose the held ones are."""
_AT_A_TIME = 200
"""Traces that are asked about once more, at most."""
_SESSIONS = 50
"""That are looked up at a time, one by one; traces whose turn does not come wait."""
_TOGETHER = 200
"""Tasks that are read together."""
_AGAIN_S = 5.0
_CLOSING_S = 1.0
_AT_ONCE = {Encoding.PROTOBUF: 512 * 1024, Encoding.JSON: 8 * 1024}
"""Bytes that are read in less than a millisecond."""
_UNPACKS = 64
"""By how much gzip makes such bodies smaller, at most, for all that is to be expected."""
_SHARE_HELD = 2
"""Of the buffer half may be held: the rest is for what is on its way."""


@dataclass(slots=True)
class ReceiverNumbers:
    """Of spans, since this process began. `turned_away` are requests."""

    rehomed: int = 0
    linked: int = 0
    passed: int = 0
    held: int = 0
    turned_away: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: {"invalid": 0, "no_endpoint": 0})


@dataclass(frozen=True, slots=True)
class Received:
    """`rejected` spans are lost, for the reason that `message` gives; else it is a warning."""

    rejected: int = 0
    message: str = ""


class Receiver:
    """`relay` is None where spans go nowhere from here: they are looked at all the same. `mode`,
    `hold_s`, `buffer` and `most` (bytes of a request) are as in the settings."""

    def __init__(
        self,
        *,
        store: Store,
        seen: SpansSeen,
        relay: Relay | None,
        mode: Mode,
        hold_s: float,
        buffer: int,
        most: int,
        now: Callable[[], float],
    ) -> None:
        self.numbers = ReceiverNumbers()
        self.most = most
        self._store = store
        self._seen = seen
        self._relay = relay
        self._mode = mode
        self._now = now
        self._buffer = buffer
        self._coming = 0
        self._desks = Desks(mode, Limits(hold_s, buffer // _SHARE_HELD))
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._decoding: Any = None
        self._sorting: Any = None

    @property
    def sent(self) -> RelayNumbers:
        """What became of what was to be sent on."""
        return RelayNumbers() if self._relay is None else self._relay.numbers

    @property
    def held_spans(self) -> int:
        return self._desks.held_spans

    @property
    def buffered_bytes(self) -> int:
        """What is held, waits to be sent, or to be gone through."""
        waiting = 0 if self._relay is None else self._relay.waiting_bytes
        return self._desks.held_bytes + waiting + self._coming

    def turn_away_if_full(self, coming: int = 0) -> None:
        """Raises TelemetryFull where there is no room for so many bytes more."""
        if self.buffered_bytes + coming < self._buffer:
            return
        self.numbers.turned_away += 1
        raise TelemetryFull(
            "too many spans wait to be sent on, or for what says whose they are: keep these, and "
            "send them again",
            retry_after_s=_AGAIN_S,
        )

    async def receive(
        self, body: bytes, encoding: Encoding, *, zipped: bool, principal: Principal = ANONYMOUS
    ) -> Received:
        """Take a request in. Raises core.otlp.Unreadable, TelemetryFull."""
        self.turn_away_if_full(len(body))
        self._coming += len(body)
        try:
            async with self._one_at_a_time:  # read, they may be twenty times as large
                read = await self._read(body, encoding, zipped)
                done = await self._sorted(*read, self._desk(principal))
        finally:
            self._coming -= len(body)
        self._take(done)
        self._wake.set()
        return self._told(done)

    def _desk(self, principal: Principal) -> Desk:
        return self._desks.of(principal, lambda traces: self._sorting.Sorter(traces, now=self._now))

    async def _sorted(self, encoded: bytes | None, request: Any, desk: Desk) -> Any:
        done = self._sorting.Sorted()
        while self._desks.leaving:
            self._desks.leaving.pop().sorter.flush(done)
        if self._mode is not Mode.PASS:
            questions = await by_steps(desk.sorter.questions(request))
            await by_steps(desk.sorter.settle(await self._fates(questions, desk), done))
        launches = await self._launches(request, desk)
        await by_steps(desk.sorter.sort(request, encoded, done, launches))
        return done

    async def run(self) -> None:
        """For ever: look after what is held."""
        while True:
            await self._wake.wait()
            if not self._desks.waiting:
                self._wake.clear()
                continue
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Let go what it is known of by now whose it is, and what was held for long enough."""
        done = self._sorting.Sorted()
        async with self._one_at_a_time:
            for desk in list(self._desks.in_use()):
                fates = await self._fates(desk.sorter.due(most=_AT_A_TIME), desk)
                await by_steps(desk.sorter.settle(fates, done))
                desk.sorter.overdue(done)
        self._take(done)

    async def aclose(self) -> None:
        """Send on what is held and what waits, within the time there is for it. Whoever called
        `run` has ended it."""
        for desk in self._desks.in_use():
            done = self._sorting.Sorted()
            desk.sorter.flush(done)
            self._take(done)
        if self._relay is not None:
            await self._relay.aclose(_CLOSING_S)

    async def _read(
        self, body: bytes, encoding: Encoding, zipped: bool
    ) -> tuple[bytes | None, Any]:
        """The body as it can be sent on if nothing in it changes, and what it says. What takes its
        time, as JSON does, is done on a thread."""
        if self._sorting is None:
            self._decoding, self._sorting = await asyncio.to_thread(_load)
        at_once = _AT_ONCE[encoding] // (_UNPACKS if zipped else 1)
        if len(body) <= at_once:
            return self._decoded(body, encoding, zipped)
        return await asyncio.to_thread(self._decoded, body, encoding, zipped)

    def _decoded(self, body: bytes, encoding: Encoding, zipped: bool) -> tuple[bytes | None, Any]:
        plain = self._decoding.unpacked(body, self.most) if zipped else body
        if encoding is Encoding.JSON:
            return None, self._decoding.from_json(plain)
        return plain, self._decoding.from_protobuf(plain)

    async def _fates(
        self, asking: Mapping[bytes, Sequence[Mention]], desk: Desk
    ) -> dict[bytes, Fate]:
        """What becomes of those traces of which the record knows whose they are."""
        if not asking:
            return {}
        try:
            named = {said.thread_id for mentions in asking.values() for said in mentions}
            records = await self._records(sorted(named), desk)
            found: dict[bytes, Fate] = {}
            left = _SESSIONS
            for trace_id, mentions in asking.items():
                tasks = [(m, records[m.thread_id]) for m in mentions if m.thread_id in records]
                if tasks:
                    found[trace_id] = fate(trace_id, tasks, self._mode)
                elif left > 0:
                    left -= len(mentions)
                    if await self._of_sessions(mentions):
                        found[trace_id] = NOBODYS
            return found
        except StoreError as error:
            _log.debug("whose spans are cannot be looked up: %s", error)
            return {}

    async def _launches(self, request: Any, desk: Desk) -> dict[tuple[bytes, bytes], Home]:
        """Where the tasks are that spans of supervisors have started."""
        if self._mode is Mode.PASS:
            return {}
        launches = list(islice(desk.sorter.launches(request), _TOGETHER))
        if not launches:
            return {}
        try:
            records = await self._records(sorted({task_id for _, _, task_id in launches}), desk)
        except StoreError:
            return {}
        return {
            (trace_id, span_id): of_start(records[task_id])
            for trace_id, span_id, task_id in launches
            if task_id in records
        }

    async def _records(self, task_ids: Sequence[str], desk: Desk) -> dict[str, TaskRecord]:
        """Those that are seen from there."""
        found: dict[str, TaskRecord] = {}
        for first in range(0, len(task_ids), _TOGETHER):
            for record in await self._store.tasks_with(task_ids[first : first + _TOGETHER]):
                if desk.sees(record):
                    found[record.task.task_id] = record
        return found

    async def _of_sessions(self, mentions: Sequence[Mention]) -> bool:
        """Whether they are a supervisor's own, which is nobody's task."""
        for said in mentions:
            if await self._store.has(Scope.SESSION, said.thread_id):
                return True
        return False

    def _take(self, done: Any) -> None:
        numbers = self.numbers
        numbers.rehomed += done.rehomed
        numbers.linked += done.linked
        numbers.passed += done.passed
        numbers.held += done.held
        numbers.dropped["invalid"] += done.invalid
        for task_id, spans in done.seen.items():
            self._seen.add(task_id, spans)
        for payload, spans in done.payloads:
            if self._relay is None:
                numbers.dropped["no_endpoint"] += spans
            else:
                self._relay.put(payload, spans)

    def _told(self, done: Any) -> Received:
        if done.invalid:
            return Received(
                done.invalid,
                "spans without a valid trace id (16 bytes) and span id (8 bytes) were dropped",
            )
        if self._relay is None:
            return Received(
                0,
                "the sidecar has no OTLP endpoint to send spans on to (otlp_endpoint): they can be "
                "seen with `subagentctl trace`, and are kept nowhere",
            )
        return Received()


def _load() -> tuple[Any, Any]:
    """What takes its time to load: most sidecars may never need it."""
    return (
        importlib.import_module(f"{__package__}.decoding"),
        importlib.import_module(f"{__package__}.sorter"),
    )
