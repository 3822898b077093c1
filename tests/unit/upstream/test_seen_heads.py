"""An answer under a head that was read before says what that one said."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.ports import Repeated
from subagent_sidecar.upstream import reading
from subagent_sidecar.upstream.reading import BODY, DONE, AnswerReader, Nonsense

_NUMBERS = count()


def head(*fields: bytes, length: int = 2, status: bytes = b"200 OK") -> bytes:
    """One that was not read before."""
    lines = [b"HTTP/1.1 " + status, b"X-Number: %d" % next(_NUMBERS), *fields]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"\r\n"])


def read(*pieces: bytes, head_only: bool = False) -> AnswerReader:
    reader = AnswerReader()
    reader.begin(head_only=head_only)
    for piece in pieces:
        reader.feed(piece)
    return reader


def said(reader: AnswerReader) -> tuple[object, ...]:
    body = b"".join(reader.parts)
    return (reader.phase, reader.status, reader.reason, reader.headers, body, reader.reusable)


def is_seen(reader: AnswerReader) -> bool:
    return isinstance(reader.headers, Repeated)


def test_a_head_that_comes_again_is_that_of_before_under_another_body() -> None:
    known = head(b"Server: s", b"Server: t", status=b"201 Made It")
    first, second = read(known + b"ab"), read(known + b"cd")
    assert is_seen(second) and second.headers is first.headers
    assert [name for name, _ in second.headers][1:] == [b"Server", b"Server", b"Content-Length"]
    assert (second.phase, second.status, second.reason) == (DONE, 201, b"Made It")
    assert (second.parts, second.trailers, second.reusable) == ([b"cd"], [], True)


STATUSES = [b"200 OK", b"404 No", b"500 ", b"204 No Content", b"304 Same", b"100 Go On"]
FIELDS = [
    *(b"Connection: close", b"Connection: keep-alive", b"Transfer-Encoding: chunked"),
    *(b"transfer-encoding: gzip", b"Content-Length: 3", b"Set-Cookie: a=b", b"Server: s"),
    *(b"Content-Location: /a", b"Upgrade: h2c", b" folded", b"no field", b"Trailer: x"),
]
TAILS = [b"", b"a", b"ab", b"abc", b"2\r\nab\r\n0\r\n\r\n", b"ab" + head(), b"\r\n\r\nab"]


@given(
    status=st.sampled_from(STATUSES),
    fields=st.lists(st.sampled_from(FIELDS), max_size=3),
    tails=st.lists(st.sampled_from(TAILS), min_size=1, max_size=4),
    head_only=st.booleans(),
)
def test_whatever_was_read_before_an_answer_is_what_a_new_reader_makes_of_its_pieces(
    status: bytes, fields: list[bytes], tails: list[bytes], head_only: bool
) -> None:
    given_head = head(*fields, status=status)
    for tail in (*tails, *tails):
        data = given_head + tail
        cut = [data[:9], data[9:]]  # so short a piece is nobody's head
        results = []
        for pieces in ([data], cut):
            try:
                results.append(said(read(*pieces, head_only=head_only)))
            except Nonsense:
                results.append(("nonsense",))
        assert results[0] == results[1]


def test_a_seen_head_before_a_part_of_its_body_waits_for_the_rest() -> None:
    known = head()
    read(known + b"ab")
    reader = read(known + b"a")
    assert reader.phase == BODY and not is_seen(reader)
    reader.feed(b"b")
    assert (reader.phase, b"".join(reader.parts)) == (DONE, b"ab")


def test_one_reader_goes_on_behind_an_answer_it_did_not_have_to_read() -> None:
    known = head()
    reader = read(known + b"ab")
    for wire in (known + b"cd", head(b"A: b") + b"ef", known + b"gh", known + b"ij"):
        reader.begin(head_only=False)
        reader.feed(wire)
        assert (reader.phase, b"".join(reader.parts)) == (DONE, wire[-2:])
    reader.begin(head_only=False)
    with pytest.raises(Nonsense):
        reader.feed(b"ij" + known)


@pytest.mark.parametrize(
    "field",
    [
        *(b"Set-Cookie: session=1", b"X-Api-Key: k", b"Authorization: b"),
        *(b"Content-Location: /threads/t/runs/r", b"Connection: close"),
    ],
)
def test_what_is_secret_or_stands_in_one_answer_only_is_not_kept(field: bytes) -> None:
    known = head(field)
    assert not is_seen(read(known + b"ab"))
    assert not is_seen(read(known + b"ab"))
    assert known not in reading._SEEN


def test_no_more_heads_are_kept_than_there_is_room_for() -> None:
    for _ in range(2 * reading._MOST_SEEN):
        read(head() + b"ab")
    assert len(reading._SEEN) <= reading._MOST_SEEN


def test_where_no_head_comes_again_they_are_looked_up_now_and_then_only() -> None:
    reader = AnswerReader()

    def are_seen(heads: list[bytes]) -> int:
        found = 0
        for wire in heads:
            reader.begin(head_only=False)
            reader.feed(wire + b"ab")
            found += is_seen(reader)
        return found

    assert are_seen([head(b"X-Request-Id: r") for _ in range(200)]) == 0
    known = head()
    read(known + b"ab")
    assert are_seen([known] * 20) < 20
    are_seen([known] * reading._NOW_AND_THEN)
    assert are_seen([known] * 20) == 20
