"""Spans of others, all the way through: read, sorted by whose they are, and sent on."""

from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from subagent_sidecar.core.otlp import Unreadable
from subagent_sidecar.core.rehoming.homes import Fate, Home, Mode, fate, of_start
from subagent_sidecar.core.rehoming.traces import Limits, Traces
from subagent_sidecar.telemetry.receiving import decoding
from subagent_sidecar.telemetry.receiving.sorter import Sorted, Sorter
from tests.support.homes import record

_TASK = "t"
_RECORD = record(_TASK)
_HELD_S = 100.0
_HELD_BYTES = 50_000


class Receiving:
    """No span is lost, doubled, or changed into what is none, and what is held stays bounded. Goes
    on with what it held of the inputs before; a second passes between two."""

    def __init__(self) -> None:
        self._time = 0.0
        self._desks = [
            (mode, traces, Sorter(traces, now=lambda: self._time))
            for mode in (Mode.REHOME, Mode.LINK)
            for traces in [Traces(mode, Limits(_HELD_S, _HELD_BYTES))]
        ]

    def __call__(self, data: bytes) -> None:
        self._time += 1.0
        for mode, traces, sorter in self._desks:
            for read, encoded in ((decoding.from_json, None), (decoding.from_protobuf, data)):
                with suppress(Unreadable):
                    _receive(read(data), encoded, mode, traces, sorter)


def _receive(
    request: ExportTraceServiceRequest,
    encoded: bytes | None,
    mode: Mode,
    traces: Traces,
    sorter: Sorter,
) -> None:
    before = traces.held_spans + _count(request)
    done = Sorted()
    _drain(sorter.settle(_fates(sorter, request, mode), done))
    _drain(sorter.sort(request, encoded, done, _launches(sorter, request)))
    for payload, spans in done.payloads:
        assert _count(ExportTraceServiceRequest.FromString(payload)) == spans
    # What is invalid is told, and may still be sent on with an unchanged request.
    assert sum(spans for _, spans in done.payloads) + traces.held_spans + done.invalid == before
    assert traces.held_bytes <= _HELD_BYTES


def _fates(sorter: Sorter, request: ExportTraceServiceRequest, mode: Mode) -> dict[bytes, Fate]:
    asking = {**_drain(sorter.questions(request)), **sorter.due(most=10)}
    found = {
        trace_id: [(said, _RECORD) for said in mentions if said.thread_id == _TASK]
        for trace_id, mentions in asking.items()
    }
    return {trace_id: fate(trace_id, tasks, mode) for trace_id, tasks in found.items() if tasks}


def _launches(
    sorter: Sorter, request: ExportTraceServiceRequest
) -> dict[tuple[bytes, bytes], Home]:
    return {
        (trace_id, span_id): of_start(_RECORD)
        for trace_id, span_id, task_id in sorter.launches(request)
        if task_id == _TASK
    }


def _count(request: ExportTraceServiceRequest) -> int:
    return sum(
        len(of_scope.spans)
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
    )


def _drain(steps: Generator[None, None, Any] | Iterable[None]) -> Any:
    """Take all steps. What they return."""

    def whole() -> Generator[None, None, Any]:
        return (yield from steps)

    made = whole()
    while True:
        try:
            next(made)
        except StopIteration as end:
            return end.value
