"""What a span of others costs on its way through the receiver.

    python -m tests.bench.otlp [--spans 20000] [--batch 200]

CPU is user + system time of this process, all threads, per span: from an encoded request to the
encoded one that is handed on. That is reading it, finding whose each span is, moving it, keeping it
in mind for `/v1/tasks/{id}/spans`, and writing it again. Spans have 20 attributes, as OpenInference
has them under langgraph-api; how large that makes them is printed.

`known`: it is known already what becomes of the trace. `new`: every batch is another trace, whose
task is looked up in a store in memory. `held`: the first half of a trace says nothing of whose it
is, and waits for the second one. `read and written` is what the protocol's own classes take to
decode and encode the same requests, and nothing else.

CPU swings with whatever else the machine does: the smallest of five rounds is shown.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.core.changes import Accepted, NewRun, Start
from subagent_sidecar.core.model import RunStatus, timestamp
from subagent_sidecar.core.otlp import Encoding
from subagent_sidecar.core.rehoming.homes import Mode
from subagent_sidecar.core.spans_seen import SpansSeen
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.telemetry.receiving import Receiver
from tests.support.otlp_request import Emitted, request

ROUNDS = 5
TASKS = 100
_BEGIN = timestamp(datetime(2026, 1, 1, tzinfo=UTC))

Requests = Sequence[bytes]


def said(task: int) -> dict[str, str]:
    """What OpenInference says of a span of a task."""
    metadata = {"thread_id": f"t{task}", "run_id": f"r{task}", "graph_id": "agent"}
    more = {f"langgraph_{name}": "x" * 20 for name in ("node", "path", "step", "triggers", "auth")}
    words = {f"llm.input_messages.{n}.message.content": "words " * 15 for n in range(12)}
    return {
        "openinference.span.kind": "CHAIN",
        "input.value": "what was asked " * 20,
        "input.mime_type": "application/json",
        "output.value": "what was answered " * 20,
        "output.mime_type": "application/json",
        **words,
        "metadata": json.dumps(metadata | more),
        "session.id": f"t{task}",
        "llm.model_name": "fake",
    }


def batch(trace: int, task: int, first: int, count: int, *, silent: bool = False) -> bytes:
    """Spans of one trace as they are sent: the root last."""
    spans = [
        Emitted(
            id=first + n,
            trace=(trace + 1).to_bytes(16, "big"),
            parent=first + count - 1 if n < count - 1 else 0,
            said={f"k{each}": "v" * 90 for each in range(20)} if silent else said(task),
        )
        for n in range(count)
    ]
    encoded: bytes = request(*spans).SerializeToString()
    return encoded


async def books() -> MemoryStore:
    """A store with tasks on record, each with its run."""
    store = MemoryStore()
    for n in range(TASKS):
        start = Start(
            intent_id=f"i{n}",
            request_id=f"q{n}",
            upstream="default",
            supervisor="anonymous",
            at=_BEGIN,
            thread_id=f"t{n}",
            assistant_id="agent",
        )
        intent = await store.admit(start)
        run = NewRun(run_id=f"r{n}", thread_id=f"t{n}", status=RunStatus.RUNNING)
        await store.apply([Accepted(intent=intent, at=_BEGIN, runs=(run,))])
    return store


def receiver(store: MemoryStore) -> Receiver:
    """Like that of a sidecar, but that what is to be sent on goes nowhere."""
    return Receiver(
        store=store,
        seen=SpansSeen(),
        relay=None,
        mode=Mode.REHOME,
        hold_s=30,
        buffer=64 * 2**20,
        most=8 * 2**20,
        now=SystemClock().monotonic,
    )


async def received(store: MemoryStore, requests: Requests) -> Callable[[], Awaitable[None]]:
    at = receiver(store)
    await at.receive(requests[0], Encoding.PROTOBUF, zipped=False)  # what it needs is loaded

    async def work() -> None:
        for each in requests[1:]:
            await at.receive(each, Encoding.PROTOBUF, zipped=False)
        await at.aclose()

    return work


async def decoded(store: MemoryStore, requests: Requests) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        for each in requests[1:]:
            ExportTraceServiceRequest.FromString(each).SerializeToString()

    return work


async def main_async(spans: int, size: int) -> None:
    store = await books()
    count = spans // size
    half = size // 2
    cases = {
        "known": (received, [batch(0, 0, n * size + 1, size) for n in range(count)]),
        "new": (received, [batch(n, n % TASKS, n * size + 1, size) for n in range(count)]),
        "held": (
            received,
            [
                batch(n // 2, n // 2 % TASKS, n * half + 1, half, silent=n % 2 == 0)
                for n in range(count * 2)
            ],
        ),
        "read and written": (
            decoded,
            [batch(0, 0, n * size + 1, size) for n in range(count)],
        ),
    }
    length = len(cases["known"][1][0]) / size
    print(
        f"{spans:,} spans of {length:,.0f} bytes, {size} in a request, smallest of {ROUNDS} rounds"
    )
    print(f"{'':20}{'us of CPU a span':>18}")
    for name, (make, requests) in cases.items():
        best = min([await measured(make, store, requests) for _ in range(ROUNDS)])
        print(f"{name:20}{best:>18.1f}")


async def measured(
    make: Callable[[MemoryStore, Requests], Awaitable[Callable[[], Awaitable[None]]]],
    store: MemoryStore,
    requests: Requests,
) -> float:
    """Microseconds of CPU a span; the first request is not counted."""
    total = sum(_spans(each) for each in requests[1:])
    work = await make(store, requests)
    before = time.process_time()
    await work()
    return (time.process_time() - before) / total * 1e6


def _spans(encoded: bytes) -> int:
    made = ExportTraceServiceRequest.FromString(encoded)
    return sum(len(scope.spans) for each in made.resource_spans for scope in each.scope_spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=200)
    given = parser.parse_args()
    asyncio.run(main_async(given.spans, given.batch))


if __name__ == "__main__":
    main()
