"""However an answer is cut up, the reader gets the same out of it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.upstream.reading import BODY, DONE, HEAD, MAX_OVERHEAD, AnswerReader, Nonsense

TOKEN = st.text("abcXYZ-_019", min_size=1, max_size=12).map(str.encode)
VALUE = st.binary(max_size=20).map(lambda raw: bytes(b for b in raw if b > 32 and b != 127))
FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"upgrade"}
FIELD = st.tuples(TOKEN.filter(lambda name: name.lower() not in FRAMING), VALUE)
Fields = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    wire: bytes
    status: int
    reason: bytes
    headers: Fields
    body: bytes
    trailers: Fields


def lines(fields: Fields) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    status = draw(st.sampled_from([200, 201, 404, 422, 500]))
    reason = draw(TOKEN)
    headers = draw(st.lists(FIELD, max_size=6))
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Go On\r\n\r\n"]))
    body, trailers = b"".join(pieces), []
    if draw(st.booleans()):
        headers.append((b"Content-Length", b"%d" % len(body)))
        tail = body
    else:
        headers.append((b"Transfer-Encoding", b"chunked"))
        trailers = draw(st.lists(FIELD, max_size=3))
        tail = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        tail += b"0\r\n" + lines(trailers) + b"\r\n"
    head = b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, lines(headers))
    return Answer(interim + head + tail, status, reason, headers, body, trailers)


def begun(*, head_only: bool = False) -> AnswerReader:
    reader = AnswerReader()
    reader.begin(head_only=head_only)
    return reader


@given(answer=answers(), cuts=st.lists(st.integers(min_value=0), max_size=10))
def test_cutting_changes_nothing(answer: Answer, cuts: list[int]) -> None:
    reader = begun()
    places = sorted(cut % len(answer.wire) for cut in cuts)
    for start, end in zip([0, *places], [*places, len(answer.wire)], strict=True):
        reader.feed(answer.wire[start:end])
    assert reader.phase == DONE
    assert reader.reusable
    assert (reader.status, reader.reason) == (answer.status, answer.reason)
    assert (reader.headers, reader.trailers) == (answer.headers, answer.trailers)
    assert b"".join(reader.parts) == answer.body


@given(answer=answers(), cut=st.integers(min_value=0))
def test_a_part_is_never_taken_for_the_whole(answer: Answer, cut: int) -> None:
    reader = begun()
    reader.feed(answer.wire[: cut % len(answer.wire)])
    assert reader.phase != DONE
    assert not reader.ends_at_close()


@given(first=answers(), second=answers())
def test_one_reader_reads_one_answer_after_the_other(first: Answer, second: Answer) -> None:
    reader = begun()
    reader.feed(first.wire)
    kept = (reader.headers, reader.trailers, reader.parts)
    reader.begin(head_only=False)
    reader.feed(second.wire)
    assert kept[:2] == (first.headers, first.trailers)
    assert b"".join(kept[2]) == first.body
    assert (reader.status, reader.headers) == (second.status, second.headers)
    assert b"".join(reader.parts) == second.body


@given(answer=answers(), excess=st.binary(min_size=1).filter(lambda raw: raw.strip(b"\r\n")))
def test_what_follows_an_answer_changes_nothing_but_that_it_is_the_last(
    answer: Answer, excess: bytes
) -> None:
    reader = begun()
    reader.feed(answer.wire + excess)
    assert reader.phase == DONE
    assert not reader.reusable
    assert (reader.headers, reader.trailers) == (answer.headers, answer.trailers)
    assert b"".join(reader.parts) == answer.body


@given(noise=st.binary(max_size=200))
def test_noise_is_nonsense_or_unfinished_and_nothing_else(noise: bytes) -> None:
    reader = begun()
    try:
        reader.feed(noise)
    except Nonsense as refused:
        assert refused.args == ()
    assert reader.phase == HEAD


@pytest.mark.parametrize(
    ("fields", "at_close"),
    [
        (b"", True),
        (b"Content-Length: 9\r\n", False),
        (b"transfer-ENCODING: Chunked\r\n", False),
    ],
)
def test_only_an_answer_without_framing_ends_with_its_connection(
    fields: bytes, at_close: bool
) -> None:
    reader = begun()
    reader.feed(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n")
    assert reader.phase == BODY
    assert reader.ends_at_close() is at_close


def test_the_limit_of_a_head_is_exact() -> None:
    start, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\nContent-Length: 1\r\n\r\n"
    fits = start + b"x" * (MAX_OVERHEAD - len(start + end)) + end
    reader = begun()
    reader.feed(fits + b"x")
    assert reader.phase == DONE
    reader = begun()
    with pytest.raises(Nonsense):
        reader.feed(start + b"x" + fits[len(start) :] + b"x")
