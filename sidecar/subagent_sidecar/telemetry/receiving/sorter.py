"""Going through what emitters send: whose each span is, and what becomes of it.

Works on the messages of the OTLP protocol in place, and on the loop that serves requests, which is
why it goes by small steps: everything that takes its time is a generator that comes up for breath.
(On a thread of its own it would cost twice as much, since memory is handed to and fro, and hold up
the loop for longer, since a thread keeps the interpreter for five milliseconds at a time.) Loaded
late, with the protocol's classes.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ...core.rehoming.homes import NOBODYS, Fate, Home, Mode
from ...core.rehoming.launches import TOOL, launched
from ...core.rehoming.mentions import Mention, mention
from ...core.rehoming.rewriting import SpanIds, link, rehome
from ...core.rehoming.traces import TRACES, Part, Traces
from ...core.spans_seen import SeenSpan
from .away import Away
from .seeing import Service, seen_span
from .sizes import packed

_STEP = 50
"""Spans between two breaths: half a millisecond."""
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


Launches = Mapping[tuple[bytes, bytes], Home]
"""The start of the task that a span, by its trace and its own id, has started."""
_NONE: Launches = {}


@dataclass(slots=True)
class Sorted:
    """What came of it. `payloads` are to be sent on, each with the number of its spans; the other
    numbers are of spans as well. `seen` are those of each task."""

    payloads: list[tuple[bytes, int]] = field(default_factory=list)
    rehomed: int = 0
    linked: int = 0
    passed: int = 0
    held: int = 0
    invalid: int = 0
    seen: dict[str, list[SeenSpan]] = field(default_factory=dict)


class Sorter:
    """`now` reads seconds on a clock that never jumps."""

    def __init__(self, traces: Traces, *, now: Callable[[], float]) -> None:
        self._traces = traces
        self._ids = SpanIds()
        self._now = now

    def questions(
        self, request: ExportTraceServiceRequest
    ) -> Generator[None, None, Mapping[bytes, Sequence[Mention]]]:
        """Whom the traces name of which it is not known what becomes of them. Of each trace it is
        enough that one span names its run."""
        listening: dict[bytes, bool] = {}
        unknown: set[bytes] = set()
        now = self._now()
        for number, span in enumerate(_spans(request)):
            trace_id = span.trace_id
            if trace_id not in listening:
                listening[trace_id] = self._traces.fate(trace_id) is None
                if listening[trace_id]:
                    unknown.add(trace_id)
            if listening[trace_id]:
                said = mention(span.attributes, span.start_time_unix_nano)
                if said is not None:
                    self._traces.hear(trace_id, said, now)
                    listening[trace_id] = said.run_id is None and self._traces.listens(trace_id)
                if number % _STEP == _STEP - 1:
                    yield
        return self._traces.asking(unknown)

    def launches(self, request: ExportTraceServiceRequest) -> Iterator[tuple[bytes, bytes, str]]:
        """The (trace id, span id, task id) of spans of nobody's traces that started tasks."""
        for span in _spans(request):
            if TOOL in span.name:
                fate = self._traces.fate(span.trace_id)
                if (fate is None or fate.home is None) and (task := launched(span.attributes)):
                    yield span.trace_id, span.span_id, task

    def due(self, *, most: int) -> Mapping[bytes, Sequence[Mention]]:
        """The same of traces that are waited for, when it is time to ask once more."""
        return self._traces.due(self._now(), most=most)

    def settle(self, fates: Mapping[bytes, Fate], done: Sorted) -> Iterator[None]:
        """What becomes of these traces is known now: let go what was held of them."""
        for trace_id, found in fates.items():
            fate = found
            if fate.moves and self._traces.mode(trace_id) is not Mode.REHOME:
                fate = Fate(Mode.LINK, fate.home)
            if fate.moves and fate.home is not None:
                self._ids.reserve(fate.home)
            for part in self._traces.decide(trace_id, fate):
                request = ExportTraceServiceRequest.FromString(part.encoded)
                yield from self._go_through(request, done)
                yield from packed(request, done.payloads)

    def sort(
        self,
        request: ExportTraceServiceRequest,
        encoded: bytes | None,
        done: Sorted,
        launches: Launches = _NONE,
    ) -> Iterator[None]:
        """Go through a request. `encoded` is what it was read from, where that can be sent on.
        `launches`: where tasks are that its spans started."""
        changed = yield from self._go_through(request, done, launches)
        if changed or encoded is None:
            yield from packed(request, done.payloads)
        elif count := _count(request):
            done.payloads.append((encoded, count))
        self.overdue(done)

    def flush(self, done: Sorted) -> None:
        """Let go all that is held."""
        for _, parts in self._traces.all():
            self._pass(parts, done)

    def overdue(self, done: Sorted) -> None:
        """Let go what has waited for long enough."""
        for _, parts in self._traces.overdue(self._now()):
            self._pass(parts, done)

    def _pass(self, parts: Sequence[Part], done: Sorted) -> None:
        for part in parts:
            done.payloads.append((part.encoded, part.spans))
            done.passed += part.spans

    def _go_through(
        self, request: ExportTraceServiceRequest, done: Sorted, launches: Launches = _NONE
    ) -> Generator[None, None, bool]:
        """Whether it is another request than it was."""
        before = done.rehomed + done.linked
        away = Away(self._traces.most, traces=TRACES)
        gone = number = 0
        for of_resource in request.resource_spans:
            service = Service(of_resource.resource)
            for of_scope in of_resource.scope_spans:
                away.under(of_resource, of_scope)
                stays = []
                for span in of_scope.spans:
                    number += 1
                    if number % _STEP == 0:
                        yield
                    if not _is_valid(span):
                        done.invalid += 1
                        continue
                    fate = self._traces.fate(span.trace_id)
                    if fate is None:
                        fate = self._undecided(span)
                    if fate is None:
                        if away.take(span):
                            continue
                        self._traces.tear(span.trace_id)
                        fate = NOBODYS
                    if launches and fate.home is None:
                        _point(span, launches, done)
                    self._apply(span, fate, service, done)
                    stays.append(span)
                if len(stays) < len(of_scope.spans):
                    gone += len(of_scope.spans) - len(stays)
                    del of_scope.spans[:]
                    of_scope.spans.extend(stays)
        self._hold(away.taken, done)
        if gone:
            _without_empty(request)
        return gone > 0 or done.rehomed + done.linked > before

    def _undecided(self, span: Any) -> Fate | None:
        """Of a trace that nobody knows yet. One that is not to be moved waits with its roots only,
        which are what gets a link."""
        mode = self._traces.mode(span.trace_id)
        if mode is Mode.PASS or (mode is Mode.LINK and span.parent_span_id):
            return NOBODYS
        return None

    def _apply(self, span: Any, fate: Fate, service: Service, done: Sorted) -> None:
        home = fate.home
        if home is None:
            done.passed += 1
            return
        if fate.mode is Mode.REHOME:
            rehome(span, home, self._ids, self._traces.fate)
            done.rehomed += 1
        elif fate.mode is Mode.LINK and not span.parent_span_id:
            link(span, home)
            done.linked += 1
        else:
            done.passed += 1
        seen = done.seen.get(home.task_id)
        if seen is None:
            seen = done.seen[home.task_id] = []
        seen.append(seen_span(span, home.run_id, service.name))

    def _hold(self, held: Mapping[bytes, ExportTraceServiceRequest], done: Sorted) -> None:
        now = self._now()
        for trace_id, request in held.items():
            count = _count(request)
            self._traces.hold(trace_id, Part(request.SerializeToString(), count), now)
            done.held += count


def _point(span: Any, launches: Launches, done: Sorted) -> None:
    home = launches.get((span.trace_id, span.span_id))
    if home is not None and home.trace_id != span.trace_id:
        link(span, home)
        done.linked += 1
        done.passed -= 1  # which is what it would be counted as


def _is_valid(span: Any) -> bool:
    """Whether it has the ids that a span must have; a parent of zeros is none."""
    trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
    if parent == _NO_SPAN:
        span.parent_span_id = parent = b""
    return (
        len(trace_id) == 16
        and len(span_id) == 8
        and len(parent) in (0, 8)
        and trace_id != _NO_TRACE
        and span_id != _NO_SPAN
    )


def _spans(request: ExportTraceServiceRequest) -> Iterator[Any]:
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            yield from of_scope.spans


def _count(request: ExportTraceServiceRequest) -> int:
    return sum(
        len(of_scope.spans)
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
    )


def _without_empty(request: Any) -> None:
    """Take out the resources and scopes of which nothing is left. (One by one it would take
    seconds where there are many.)"""
    for of_resource in request.resource_spans:
        full = [of_scope for of_scope in of_resource.scope_spans if of_scope.spans]
        if len(full) < len(of_resource.scope_spans):
            del of_resource.scope_spans[:]
            of_resource.scope_spans.extend(full)
    left = [of_resource for of_resource in request.resource_spans if of_resource.scope_spans]
    if len(left) < len(request.resource_spans):
        del request.resource_spans[:]
        request.resource_spans.extend(left)
