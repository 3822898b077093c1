"""What becomes of the spans of a request: sent on, held, moved, linked, or dropped."""

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.support.otlp_request import A, B, Emitted, request, span_id

from subagent_sidecar.core.rehoming.homes import NOBODYS, Fate, Home, Mode
from subagent_sidecar.core.rehoming.traces import TRACES, Limits, Traces
from subagent_sidecar.telemetry.receiving.sizes import pieces
from subagent_sidecar.telemetry.receiving.sorter import Sorted, Sorter

HOME = Home(trace_id=b"h" * 16, span_id=b"s" * 8, task_id="t", run_id="r")
MOVES = Fate(Mode.REHOME, HOME)
OF_T = {"session.id": "t"}


@dataclass
class Desk:
    mode: Mode = Mode.REHOME
    time: float = 0.0
    most: int = 10_000
    sorter: Sorter = field(init=False)

    def __post_init__(self) -> None:
        traces = Traces(self.mode, Limits(hold_s=10, most=self.most))
        self.sorter = Sorter(traces, now=lambda: self.time)

    def asked(self, *spans: Emitted) -> dict[bytes, list[str]]:
        questions = finished(self.sorter.questions(request(*spans)))
        return {trace: [each.thread_id for each in said] for trace, said in questions.items()}

    def sort(self, *spans: Emitted) -> Sorted:
        made = request(*spans)
        return self.sort_made(made, made.SerializeToString())

    def sort_made(self, made: ExportTraceServiceRequest, encoded: bytes | None = None) -> Sorted:
        done = Sorted()
        finished(self.sorter.sort(made, encoded, done))
        return done

    def settle(self, trace_id: bytes, fate: Fate) -> Sorted:
        done = Sorted()
        finished(self.sorter.settle({trace_id: fate}, done))
        return done

    def overdue(self) -> Sorted:
        done = Sorted()
        self.sorter.overdue(done)
        return done

    def flush(self) -> Sorted:
        done = Sorted()
        self.sorter.flush(done)
        return done


def finished(steps: Any) -> Any:
    """What came of it, after all steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def out(done: Sorted) -> list[tuple[bytes, bytes]]:
    """The (trace, span) ids of what is to be sent on, in order."""
    sent = [ExportTraceServiceRequest.FromString(payload) for payload, _ in done.payloads]
    found = [
        (span.trace_id, span.span_id)
        for each in sent
        for of_resource in each.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    assert len(found) == sum(spans for _, spans in done.payloads)
    return found


def test_it_is_asked_whom_a_trace_names_once() -> None:
    at = Desk()
    spans = [Emitted(id=1), Emitted(id=2, said=OF_T), Emitted(id=3, said=OF_T)]
    assert at.asked(*spans, Emitted(id=4, trace=B)) == {A: ["t"]}
    at.settle(A, MOVES)
    assert at.asked(*spans) == {}


def test_children_that_come_before_who_says_whose_they_are_wait_for_him() -> None:
    at = Desk()
    held = at.sort(Emitted(id=2, parent=1), Emitted(id=3, trace=B))
    assert (held.held, out(held)) == (2, [])
    let_go = at.settle(A, MOVES)
    assert out(let_go) == [(HOME.trace_id, span_id(2))]
    last = at.sort(Emitted(id=1, said=OF_T))
    assert (let_go.rehomed, last.rehomed, last.held) == (1, 1, 0)
    assert out(last) == [(HOME.trace_id, span_id(1))]


def test_what_is_held_keeps_its_resource_and_scope() -> None:
    at = Desk()
    made = request(Emitted(id=1), Emitted(id=2, trace=B), service="one", scope="s1")
    made.MergeFrom(request(Emitted(id=3), service="two", scope="s2"))
    made.resource_spans[0].scope_spans[0].schema_url = "https://schema"
    at.sort_made(made)
    (payload, spans) = at.settle(A, NOBODYS).payloads[0]
    back = ExportTraceServiceRequest.FromString(payload)
    assert spans == 2
    assert [
        (
            each.resource.attributes[0].value.string_value,
            each.scope_spans[0].scope.name,
            each.scope_spans[0].schema_url,
            len(each.scope_spans[0].spans),
        )
        for each in back.resource_spans
    ] == [("one", "s1", "https://schema", 1), ("two", "s2", "", 1)]


def test_what_passes_goes_on_byte_for_byte() -> None:
    at = Desk()
    at.settle(A, NOBODYS)
    made = request(Emitted(id=1), Emitted(id=2, parent=1))
    encoded = made.SerializeToString()
    done = at.sort_made(made, encoded)
    assert done.payloads == [(encoded, 2)]
    assert done.payloads[0][0] is encoded
    assert (done.passed, done.rehomed) == (2, 0)


def test_what_nobody_claims_passes_in_the_end_and_the_rest_of_it_is_linked() -> None:
    at = Desk()
    at.sort(Emitted(id=2, parent=1))
    at.time = 10
    assert out(at.overdue()) == [(A, span_id(2))]
    assert at.asked(Emitted(id=1, said=OF_T)) == {A: ["t"]}
    at.settle(A, MOVES)
    root = at.sort(Emitted(id=1, said=OF_T))
    assert (root.linked, out(root)) == (1, [(A, span_id(1))])


def test_in_mode_link_only_roots_wait_and_get_the_link() -> None:
    at = Desk(mode=Mode.LINK)
    child = at.sort(Emitted(id=2, parent=1))
    root = at.sort(Emitted(id=1))
    assert (out(child), out(root), root.held) == ([(A, span_id(2))], [], 1)
    done = at.settle(A, Fate(Mode.LINK, HOME))
    (payload, _) = done.payloads[0]
    (span,) = ExportTraceServiceRequest.FromString(payload).resource_spans[0].scope_spans[0].spans
    assert [(each.trace_id, each.span_id) for each in span.links] == [(HOME.trace_id, b"s" * 8)]
    assert (span.trace_id, span.parent_span_id, done.linked) == (A, b"", 1)


def test_in_mode_pass_nothing_waits() -> None:
    at = Desk(mode=Mode.PASS)
    done = at.sort(Emitted(id=1, said=OF_T), Emitted(id=2, parent=1))
    assert (out(done), done.passed, done.held) == ([(A, span_id(1)), (A, span_id(2))], 2, 0)


def test_a_span_without_proper_ids_is_dropped_and_the_rest_is_not() -> None:
    at = Desk()
    at.settle(A, NOBODYS)
    bad = [
        Emitted(id=1, trace=b""),
        Emitted(id=2, trace=bytes(16)),
        Emitted(id=3, trace=b"short"),
        Emitted(id=0),
    ]
    done = at.sort(*bad, Emitted(id=5))
    assert (done.invalid, out(done)) == (4, [(A, span_id(5))])


def test_a_parent_of_zeros_is_none_and_one_of_another_length_is_a_mistake() -> None:
    at = Desk()
    at.settle(A, MOVES)
    made = request(Emitted(id=1), Emitted(id=2))
    zeros, odd = made.resource_spans[0].scope_spans[0].spans
    zeros.parent_span_id, odd.parent_span_id = bytes(8), b"odd"
    done = at.sort_made(made)
    assert (done.rehomed, done.invalid) == (1, 1)
    (payload, _) = done.payloads[0]
    (span,) = ExportTraceServiceRequest.FromString(payload).resource_spans[0].scope_spans[0].spans
    assert (span.span_id, span.parent_span_id) == (span_id(1), HOME.span_id)


def test_what_was_seen_of_a_task_is_told() -> None:
    at = Desk()
    at.settle(A, MOVES)
    done = at.sort(Emitted(id=1, name="n" * 500, failed="broke"), Emitted(id=2, parent=1))
    first, second = done.seen["t"]
    assert (first.name, first.service, first.run_id) == ("n" * 120, "agent-server", "r")
    assert (first.error, second.error) == ("broke", None)
    assert (first.parent_id, second.parent_id) == ((b"s" * 8).hex(), span_id(1).hex())
    assert first.trace_id == HOME.trace_id.hex()
    assert second.end_ns - second.start_ns == 1_000_000


def test_of_a_trace_that_is_at_home_the_spans_are_seen_as_well() -> None:
    at = Desk()
    at.settle(A, Fate(Mode.PASS, HOME))
    done = at.sort(Emitted(id=1))
    assert (out(done), len(done.seen["t"])) == ([(A, span_id(1))], 1)


def test_at_the_end_everything_that_is_held_is_sent_on_as_it_came() -> None:
    at = Desk()
    at.sort(Emitted(id=1), Emitted(id=2, trace=B))
    assert sorted(out(at.flush())) == [(A, span_id(1)), (B, span_id(2))]
    assert out(at.flush()) == []


def test_a_long_request_is_several() -> None:
    made = request(*(Emitted(id=n, said={"k": "v" * 400}) for n in range(1, 21)), service="one")
    made.MergeFrom(request(Emitted(id=99, said={"k": "v" * 4_000}), service="two"))
    found = pieces(made, most=2_000)
    assert sum(spans for _, spans in found) == 21
    ids: list[bytes] = []
    for payload, spans in found:
        part = ExportTraceServiceRequest.FromString(payload)
        assert len(payload) < 2_200 or spans == 1
        ids += [span.span_id for span in part.resource_spans[0].scope_spans[0].spans]
    assert ids == [*(span_id(n) for n in range(1, 21)), span_id(99)]
    assert pieces(ExportTraceServiceRequest()) == []


def long_resource(*, scopes: int) -> ExportTraceServiceRequest:
    """Of 5,000 bytes, with a trace of its own for each of the spans."""
    made = ExportTraceServiceRequest()
    of_resource = made.resource_spans.add()
    said = of_resource.resource.attributes.add()
    said.key, said.value.string_value = "long", "x" * 5_000
    for number in range(scopes):
        scope = of_resource.scope_spans.add()
        scope.scope.name = f"scope {number}"
        span = scope.spans.add()
        span.trace_id, span.span_id = b"%016d" % number, span_id(number + 1)
    return made


def test_a_long_resource_is_not_held_once_for_each_of_many_traces() -> None:
    at = Desk()
    made = long_resource(scopes=200)
    size = made.ByteSize()
    done = at.sort_made(made, made.SerializeToString())
    rest = at.flush()
    assert done.held == 1
    assert done.passed + rest.passed == 200
    assert len(out(done)) + len(out(rest)) == 200
    assert sum(len(payload) for payload, _ in [*done.payloads, *rest.payloads]) < 2 * size


def test_what_passed_because_it_was_too_much_is_not_torn_further() -> None:
    at = Desk()
    at.sort_made(long_resource(scopes=200))
    trace = b"%016d" % 150
    root = Emitted(id=901, trace=trace)
    child = Emitted(id=902, trace=trace, parent=901, said=OF_T)
    done = at.sort(root, child)
    assert (done.held, done.passed) == (1, 1)  # whose root may get a link


def test_pieces_of_a_long_request_do_not_repeat_its_resource_for_each_scope() -> None:
    made = long_resource(scopes=200)
    found = pieces(made, most=2_000)
    assert sum(spans for _, spans in found) == 200
    assert len(found) < 20
    spans = [
        scope.scope.name
        for payload, _ in found
        for of_resource in ExportTraceServiceRequest.FromString(payload).resource_spans
        for scope in of_resource.scope_spans
        for _ in scope.spans
    ]
    assert spans == [f"scope {number}" for number in range(200)]


def test_of_more_traces_than_may_wait_the_rest_passes_in_one_piece() -> None:
    at = Desk(most=10_000_000)
    many = TRACES + 1_000
    made = request(*(Emitted(id=n + 1, trace=b"%016d" % n) for n in range(many)))
    done = at.sort_made(made, made.SerializeToString())
    assert (done.held, done.passed) == (TRACES, 1_000)
    assert [spans for _, spans in done.payloads] == [1_000]
