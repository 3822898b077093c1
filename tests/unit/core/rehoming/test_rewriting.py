"""What changes in a span that moves into another trace, and what must not."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.otlp_request import A, B, Emitted, request, span_id

from subagent_sidecar.core.rehoming.homes import Fate, Home, Mode
from subagent_sidecar.core.rehoming.rewriting import SpanIds, link, rehome

HOME = Home(trace_id=bytes.fromhex("d" * 32), span_id=span_id(0xFFFF), task_id="t", run_id="r")
NONE: dict[bytes, Fate] = {}


def moved(
    *spans: Emitted, ids: SpanIds | None = None, fates: dict[bytes, Fate] = NONE
) -> list[Any]:
    """These spans, once they have moved to HOME."""
    ids = ids or fresh()
    made = request(*spans).resource_spans[0].scope_spans[0].spans
    for span in made:
        rehome(span, HOME, ids, fates.get)
    return list(made)


def fresh() -> SpanIds:
    ids = SpanIds()
    ids.reserve(HOME)
    return ids


def test_a_root_comes_under_the_runs_span_and_the_rest_stays_where_it_was() -> None:
    child, root = moved(Emitted(id=2, parent=1), Emitted(id=1, said={"k": "v"}))
    assert (child.trace_id, root.trace_id) == (HOME.trace_id, HOME.trace_id)
    assert (child.span_id, child.parent_span_id) == (span_id(2), span_id(1))
    assert (root.span_id, root.parent_span_id) == (span_id(1), HOME.span_id)
    assert root.flags & 0x300 == 0x300  # its parent is known to be in another process
    assert not child.flags


def test_where_it_came_from_is_told_and_nothing_else_changes() -> None:
    (span,) = moved(Emitted(id=1, name="n", said={"k": "v"}, failed="why"))
    assert {each.key: each.value.string_value for each in span.attributes} == {
        "k": "v",
        "subagent.original_trace_id": A.hex(),
    }
    assert (span.name, span.status.message, span.status.code) == ("n", "why", 2)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_000_000


def test_the_same_id_in_two_traces_is_two_ids_in_one() -> None:
    """And whoever refers to it follows, whether it comes before or after."""
    ids = fresh()
    first, child = moved(Emitted(id=1), Emitted(id=2, parent=1), ids=ids)
    grandchild, other = moved(Emitted(id=3, parent=1, trace=B), Emitted(id=1, trace=B), ids=ids)
    assert (first.span_id, child.parent_span_id) == (span_id(1), span_id(1))
    assert other.span_id != span_id(1)
    assert grandchild.parent_span_id == other.span_id


def test_nobody_gets_the_id_of_the_runs_own_span() -> None:
    (span,) = moved(Emitted(id=0xFFFF))
    assert span.span_id != HOME.span_id
    assert span.parent_span_id == HOME.span_id


def test_the_same_span_sent_again_is_the_same_span() -> None:
    ids = fresh()
    (first,), (again,) = (moved(Emitted(id=1, trace=B), ids=ids) for _ in range(2))
    assert first == again


def test_links_follow_what_they_point_to() -> None:
    gone = Fate(Mode.REHOME, Home(trace_id=b"e" * 16, span_id=span_id(9), task_id="u", run_id=None))
    fates = {B: gone, b"s" * 16: Fate(Mode.PASS, gone.home), b"l" * 16: Fate(Mode.LINK, gone.home)}
    stay = [(b"s" * 16, 3), (b"l" * 16, 4), (b"n" * 16, 5)]
    (span,) = moved(Emitted(id=1, links=[(B, 2), *stay]), fates=fates)
    pointed = [(link.trace_id, link.span_id) for link in span.links]
    assert pointed == [(b"e" * 16, span_id(2)), *((t, span_id(n)) for t, n in stay)]


def test_a_link_points_to_the_runs_span_and_says_of_which_task() -> None:
    (span,) = request(Emitted(id=1)).resource_spans[0].scope_spans[0].spans
    link(span, HOME)
    (found,) = span.links
    assert (found.trace_id, found.span_id) == (HOME.trace_id, HOME.span_id)
    assert found.attributes[0].value.string_value == "t"
    assert (span.trace_id, span.parent_span_id) == (A, b"")


TRACES = st.sampled_from([A, B, b"c" * 16])
SPANS = st.lists(st.tuples(TRACES, st.integers(1, 6), st.integers(0, 6)), max_size=40)


@given(SPANS)
def test_no_id_is_given_to_two_things_and_no_child_loses_its_parent(
    spans: list[tuple[bytes, int, int]],
) -> None:
    """Whatever comes in which order."""
    emitted = [Emitted(trace=trace, id=id, parent=parent) for trace, id, parent in spans]
    after = moved(*emitted)
    who: dict[bytes, tuple[bytes, int]] = {HOME.span_id: (HOME.trace_id, 0)}
    named: dict[tuple[bytes, int], bytes] = {}
    for (trace, id, _), span in zip(spans, after, strict=True):
        assert who.setdefault(span.span_id, (trace, id)) == (trace, id)
        assert named.setdefault((trace, id), span.span_id) == span.span_id
    for (trace, _, parent), span in zip(spans, after, strict=True):
        if parent == 0:
            assert span.parent_span_id == HOME.span_id
        elif (trace, parent) in named:
            assert span.parent_span_id == named[trace, parent]
