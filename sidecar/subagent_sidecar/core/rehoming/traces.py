"""Traces of others while it is not known what becomes of them, and what did become of them.

Everything is bounded: how long a span is held and how many bytes are, how much is remembered of a
trace, and how many traces are.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..generations import Generations
from .homes import Fate, Mode
from .mentions import Mention

_REMEMBERED = 10_000
_MENTIONS = 8
"""Of different threads and runs in one trace: a run names itself, and hardly anybody else."""
_ASK_AGAIN_S = 1.0
TRACES = 5_000
"""That are waited for at a time; each costs something, however little is held of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Spans of one trace that are held, encoded by whoever holds them."""

    encoded: bytes
    spans: int


@dataclass(slots=True)
class _Waiting:
    since: float
    said: dict[tuple[str, str | None], Mention] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    ask_at: float = 0.0

    @property
    def size(self) -> int:
        return sum(len(part.encoded) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Limits:
    """`hold_s`: how long a span waits for what says whose it is. `most`: bytes that may wait."""

    hold_s: float
    most: int


class Traces:
    """`mode` is what is done with those that are somebody's. All times are of one clock that never
    jumps."""

    def __init__(self, mode: Mode, limits: Limits, *, remembered: int = _REMEMBERED) -> None:
        self._mode = mode
        self._limits = limits
        self._fates: Generations[bytes, Fate] = Generations(remembered)
        self._torn: Generations[bytes, bool] = Generations(remembered)
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self.held_bytes = 0
        self.held_spans = 0

    @property
    def most(self) -> int:
        """Bytes that may wait."""
        return self._limits.most

    @property
    def waiting(self) -> int:
        """Traces of which it is not known what becomes of them."""
        return len(self._waiting)

    def fate(self, trace_id: bytes) -> Fate | None:
        """What becomes of a trace, as far as it is known."""
        return self._fates.get(trace_id)

    def mode(self, trace_id: bytes) -> Mode:
        """What is to be done with a trace that turns out to be somebody's: one that was passed on
        in part is left where it is."""
        torn = self._mode is Mode.REHOME and self._torn.get(trace_id)
        return Mode.LINK if torn else self._mode

    def listens(self, trace_id: bytes) -> bool:
        """Whether more mentions in a trace can change anything."""
        waiting = self._waiting.get(trace_id)
        return waiting is None or len(waiting.said) < _MENTIONS

    def hear(self, trace_id: bytes, said: Mention, now: float) -> None:
        """A span of a trace whose fate is not known says whose it is."""
        waiting = self._wait(trace_id, now)
        if len(waiting.said) < _MENTIONS:
            waiting.said.setdefault((said.thread_id, said.run_id), said)

    def hold(self, trace_id: bytes, part: Part, now: float) -> None:
        """These wait until its fate is known."""
        self._wait(trace_id, now).parts.append(part)
        self.held_bytes += len(part.encoded)
        self.held_spans += part.spans

    def tear(self, trace_id: bytes) -> None:
        """Some of it passes on, for there is no room to hold it."""
        self._torn.set(trace_id, True)

    def asking(self, among: Iterable[bytes]) -> Mapping[bytes, Sequence[Mention]]:
        """What those of the traces said that are waited for."""
        return {
            trace_id: tuple(waiting.said.values())
            for trace_id in among
            if (waiting := self._waiting.get(trace_id)) is not None and waiting.said
        }

    def due(self, now: float, *, most: int) -> Mapping[bytes, Sequence[Mention]]:
        """The same of those that it is time to ask about once more, at most so many: each after one
        second, then whenever it has waited for twice as long."""
        found: dict[bytes, Sequence[Mention]] = {}
        for trace_id, waiting in self._waiting.items():
            if len(found) == most:
                break
            if waiting.said and waiting.ask_at <= now:
                found[trace_id] = tuple(waiting.said.values())
                waiting.ask_at = now + max(now - waiting.since, _ASK_AGAIN_S)
        return found

    def decide(self, trace_id: bytes, fate: Fate) -> Sequence[Part]:
        """It is known now, and remembered. What was held of the trace."""
        self._fates.set(trace_id, fate)
        return self._let_go(trace_id)

    def overdue(self, now: float) -> Iterator[tuple[bytes, Sequence[Part]]]:
        """What has waited for long enough, and what is too much, the first that came first: they
        pass unchanged."""
        while self._waiting:
            trace_id, waiting = next(iter(self._waiting.items()))
            late = now - waiting.since >= self._limits.hold_s
            if not late and self.held_bytes <= self._limits.most and self.waiting <= TRACES:
                return
            if waiting.parts:
                self.tear(trace_id)
            yield trace_id, self._let_go(trace_id)

    def all(self) -> Iterator[tuple[bytes, Sequence[Part]]]:
        """Whatever is held, for there is no more time."""
        for trace_id in list(self._waiting):
            yield trace_id, self._let_go(trace_id)

    def _wait(self, trace_id: bytes, now: float) -> _Waiting:
        waiting = self._waiting.get(trace_id)
        if waiting is None:
            waiting = self._waiting[trace_id] = _Waiting(now, ask_at=now + _ASK_AGAIN_S)
        return waiting

    def _let_go(self, trace_id: bytes) -> Sequence[Part]:
        waiting = self._waiting.pop(trace_id, None)
        if waiting is None:
            return ()
        self.held_bytes -= waiting.size
        self.held_spans -= sum(part.spans for part in waiting.parts)
        return waiting.parts
