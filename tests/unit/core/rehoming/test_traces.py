"""Traces of which it is not known what becomes of them: held, bounded, and let go."""

from tests.support.otlp_request import A, B

from subagent_sidecar.core.rehoming.homes import NOBODYS, Fate, Home, Mode
from subagent_sidecar.core.rehoming.mentions import Mention
from subagent_sidecar.core.rehoming.traces import Limits, Part, Traces

HOME = Home(trace_id=b"h" * 16, span_id=b"s" * 8, task_id="t", run_id="r")
MOVES = Fate(Mode.REHOME, HOME)


def traces(*, most: int = 100, mode: Mode = Mode.REHOME) -> Traces:
    return Traces(mode, Limits(hold_s=10, most=most))


def part(size: int) -> Part:
    return Part(b"x" * size, 1)


def late(at: Traces, now: float) -> list[bytes]:
    return [trace for trace, _ in at.overdue(now)]


def test_what_is_held_comes_back_when_it_is_decided_and_counts_no_more() -> None:
    at = traces()
    at.hold(A, part(3), 0)
    at.hold(A, part(4), 1)
    assert (at.held_bytes, at.held_spans, at.waiting) == (7, 2, 1)
    assert [len(each.encoded) for each in at.decide(A, MOVES)] == [3, 4]
    assert (at.held_bytes, at.held_spans, at.waiting) == (0, 0, 0)
    assert at.fate(A) is MOVES
    assert at.decide(A, MOVES) == ()


def test_it_is_let_go_once_it_has_waited_for_long_enough() -> None:
    at = traces()
    at.hold(A, part(1), 0)
    at.hold(B, part(1), 5)
    at.hold(A, part(1), 9)  # which does not begin anew
    assert late(at, 9.9) == []
    assert late(at, 10) == [A]
    assert late(at, 15) == [B]


def test_too_much_is_let_go_the_oldest_first() -> None:
    at = traces(most=10)
    for trace in (A, B, b"c" * 16):
        at.hold(trace, part(6), 0)
    assert late(at, 0) == [A, B]
    assert at.held_bytes == 6


def test_a_trace_that_was_let_go_in_part_is_not_moved_any_more() -> None:
    at = traces()
    at.hold(A, part(1), 0)
    assert late(at, 10) == [A]
    assert at.fate(A) is None  # it may still turn out to be somebody's
    assert (at.mode(A), at.mode(B)) == (Mode.LINK, Mode.REHOME)


def test_in_other_modes_nothing_is_torn() -> None:
    for mode in (Mode.LINK, Mode.PASS):
        at = traces(mode=mode)
        at.hold(A, part(1), 0)
        assert late(at, 10) == [A]
        assert at.mode(A) is mode


def test_few_mentions_of_a_trace_are_remembered() -> None:
    at = traces()
    for number in range(50):
        at.hear(A, Mention(thread_id=f"t{number}"), 0)
        at.hear(A, Mention(thread_id="t0", at_ns=number), 0)
    (mentions,) = at.asking([A, B]).values()
    assert [each.thread_id for each in mentions] == [f"t{number}" for number in range(8)]
    assert mentions[0].at_ns == 0
    assert not at.listens(A)
    assert at.listens(B)


def test_who_says_nothing_is_not_asked_about() -> None:
    at = traces()
    at.hold(A, part(1), 0)
    assert at.asking([A, B]) == {}
    assert at.due(100, most=9) == {}


def test_it_is_asked_again_after_a_second_and_then_ever_more_seldom() -> None:
    at = traces()
    at.hear(A, Mention(thread_id="t"), 0)
    asked = [now / 2 for now in range(40) if at.due(now / 2, most=9)]
    assert asked == [1, 2, 4, 8, 16]


def test_of_many_it_is_everybodys_turn() -> None:
    at = traces()
    for trace in (A, B, b"c" * 16):
        at.hear(trace, Mention(thread_id="t"), 0)
    assert [list(at.due(1, most=2)) for _ in range(3)] == [[A, B], [b"c" * 16], []]


def test_at_the_end_everything_is_let_go() -> None:
    at = traces()
    at.hold(A, part(1), 0)
    at.hear(B, Mention(thread_id="t"), 0)
    assert [(trace, len(parts)) for trace, parts in at.all()] == [(A, 1), (B, 0)]
    assert (at.waiting, at.held_bytes) == (0, 0)


def test_there_are_never_more_traces_than_that() -> None:
    at = traces(most=10**9)
    for number in range(6_000):
        at.hear(number.to_bytes(16, "big"), Mention(thread_id="t"), 0)
    assert len(late(at, 0)) == 1_000


def test_of_old_traces_it_is_forgotten_what_became_of_them() -> None:
    at = traces()
    for number in range(50_000):
        at.decide(number.to_bytes(16, "big"), NOBODYS)
    assert at.fate((49_999).to_bytes(16, "big")) is NOBODYS
    assert at.fate((0).to_bytes(16, "big")) is None
