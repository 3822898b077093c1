"""WebSocket frames in passing (RFC 6455): nothing is lost, changed or let by unseen, however the
bytes are cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.proxy.frames import (
    BadFrame,
    Listener,
    Message,
    Op,
    Sieve,
    closing,
    frame,
    head,
    unmasked,
)

LIMIT = 100_000
MASK = b"\x01\x02\x03\x04"
COMMAND = b'{"id":1,"method":"run.start"}'


@dataclass(frozen=True)
class Part:
    """A frame to be written."""

    op: Op
    data: bytes
    last: bool = True

    def written(self, mask: bytes = MASK) -> bytes:
        whole = frame(self.op, self.data, mask=mask)
        return whole if self.last else bytes([whole[0] & 0x7F]) + whole[1:]


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in pairwise(at)]


def sieved(*pieces: bytes, limit: int = LIMIT) -> tuple[bytes, list[bytes]]:
    """(what passed or would have been let pass, the texts of what was held back)."""
    sieve = Sieve(limit)
    items = [item for piece in pieces for item in sieve.feed(piece)]
    raw = b"".join(item.raw if isinstance(item, Message) else item for item in items)
    return raw, [item.text for item in items if isinstance(item, Message)]


SIZES = [0, 1, 125, 126, 127, 65_535, 65_536]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mask", [b"", MASK])
def test_a_frame_is_read_as_it_was_written(size: int, mask: bytes) -> None:
    whole = frame(Op.TEXT, b"x" * size, mask=mask)
    found = head(whole)
    assert found is not None
    assert (found.op, found.last, found.length, found.mask) == (Op.TEXT, True, size, mask)
    assert unmasked(whole[found.size :], mask) == b"x" * size
    assert all(head(whole[:length]) is None for length in range(found.size))


@pytest.mark.parametrize("first", [0xC1, 0xA1, 0x91, 0x83, 0x8B])
def test_a_frame_of_an_extension_is_not_passed(first: int) -> None:
    with pytest.raises(BadFrame) as raised:
        head(bytes([first, 0]))
    assert raised.value.close_code == 1002


def test_a_closing_frame_says_why() -> None:
    assert closing(BadFrame("why", close_code=1009)) == b"\x88\x05\x03\xf1why"


HELD = [
    ("in one frame", [Part(Op.TEXT, COMMAND)]),
    ("as binary", [Part(Op.BINARY, COMMAND)]),
    ("with blanks before", [Part(Op.TEXT, b" \r\n\t" + COMMAND)]),
    ("in two", [Part(Op.TEXT, COMMAND[:9], last=False), Part(Op.MORE, COMMAND[9:])]),
    ("byte by byte", [
        Part(Op.TEXT, b"", last=False),
        *[Part(Op.MORE, bytes([byte]), last=False) for byte in COMMAND],
        Part(Op.MORE, b""),
    ]),
    ("continuing nothing", [Part(Op.MORE, COMMAND)]),
]  # fmt: skip


@pytest.mark.parametrize(("how", "parts"), HELD, ids=lambda value: str(value)[:18])
def test_an_object_is_held_back_whole(how: str, parts: list[Part]) -> None:
    data = b"".join(part.written() for part in parts)
    raw, texts = sieved(*[data[at : at + 1] for at in range(len(data))])
    assert raw == data
    assert [text.strip() for text in texts] == [COMMAND]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
def test_no_encoding_hides_an_object(encoding: str) -> None:
    written = COMMAND.decode().encode(encoding)
    assert sieved(frame(Op.BINARY, written, mask=MASK))[1] == [written]


def test_what_is_no_object_passes_before_it_is_over() -> None:
    begun = Part(Op.TEXT, b"no object").written()[:-3]
    assert sieved(begun)[0] == begun
    fragment = Part(Op.TEXT, b"no", last=False).written()
    assert sieved(fragment) == (fragment, [])
    more = Part(Op.MORE, b"{").written()
    assert sieved(fragment, more) == (fragment + more, [])


def test_control_frames_overtake_what_is_held_back() -> None:
    begun, rest = Part(Op.TEXT, COMMAND[:9], last=False), Part(Op.MORE, COMMAND[9:])
    ping = Part(Op.PING, b"p").written()
    sieve = Sieve(LIMIT)
    assert not list(sieve.feed(begun.written()))
    assert list(sieve.feed(ping)) == [ping]
    held = Message(Op.TEXT, begun.written() + rest.written(), COMMAND)
    assert list(sieve.feed(rest.written())) == [held]


LONG = b'{"a":"' + b"x" * LIMIT


def test_an_object_that_is_too_long_ends_the_connection() -> None:
    whole = frame(Op.TEXT, LONG, mask=MASK)
    with pytest.raises(BadFrame) as raised:
        sieved(whole[:20])  # its length stands at its begin: nothing has to be kept
    assert raised.value.close_code == 1009


def test_an_object_that_grows_too_long_ends_the_connection() -> None:
    parts = [Part(Op.TEXT, b'{"a":"', last=False)]
    parts += [Part(Op.MORE, b"x" * 1_000, last=False)] * (LIMIT // 1_000)
    with pytest.raises(BadFrame):
        sieved(*[part.written() for part in parts])


def test_blanks_without_end_are_kept_no_longer_than_anything_else() -> None:
    parts = [Part(Op.TEXT, b" ", last=False)]
    parts += [Part(Op.MORE, b" " * 1_000, last=False)] * (LIMIT // 1_000)
    with pytest.raises(BadFrame):
        sieved(*[part.written() for part in parts])


def test_what_is_no_object_may_be_as_long_as_it_likes() -> None:
    whole = frame(Op.BINARY, b"x" * LIMIT * 3, mask=MASK)
    assert sieved(*cut(whole, range(0, LIMIT * 3, 50_000)))[0] == whole


def test_a_message_within_a_message_ends_the_connection() -> None:
    begun = Part(Op.TEXT, b"{", last=False).written()
    with pytest.raises(BadFrame) as raised:
        sieved(begun, Part(Op.TEXT, COMMAND).written())
    assert raised.value.close_code == 1002


def test_a_start_within_a_message_that_passes_is_held_back_all_the_same() -> None:
    begun = Part(Op.TEXT, b"no", last=False).written()
    assert sieved(begun, Part(Op.TEXT, COMMAND).written())[1] == [COMMAND]


texts = st.sampled_from([COMMAND, b"", b"no object", b"{}", b" {", b"\xff", b"x" * 70_000])


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """(the bytes of some messages, their texts): whole, in fragments, with control frames."""
    out, told = b"", []
    for text in draw(st.lists(texts, max_size=4)):
        pieces = cut(text, draw(st.lists(st.integers(0, 100), max_size=3)))
        for number, piece in enumerate(pieces):
            op = Op.MORE if number else Op.TEXT
            out += Part(op, piece, last=number == len(pieces) - 1).written()
            if draw(st.booleans()):
                out += Part(draw(st.sampled_from([Op.PING, Op.PONG])), b"c").written()
        told.append(text)
    return out, told


def without_control(data: bytes) -> bytes:
    """Control frames may overtake: what counts is the order of all others, and that they are
    there."""
    out, control, at = b"", b"", 0
    while at < len(data):
        found = head(data[at:])
        assert found is not None
        end = at + found.size + found.length
        if found.op in (Op.PING, Op.PONG):
            control += data[at:end]
        else:
            out += data[at:end]
        at = end
    return out + control


@given(conversations(), st.lists(st.integers(0, 1_000_000), max_size=8))
def test_however_it_is_cut_all_of_it_comes_through(
    conversation: tuple[bytes, list[bytes]], places: list[int]
) -> None:
    data, told = conversation
    raw, held = sieved(*cut(data, places))
    assert without_control(raw) == without_control(data)
    assert held == [text for text in told if text.strip().startswith(b"{")]


@given(conversations(), st.lists(st.integers(0, 1_000_000), max_size=8))
def test_a_listener_hears_every_text_and_knows_the_places_between(
    conversation: tuple[bytes, list[bytes]], places: list[int]
) -> None:
    data, told = conversation
    listener = Listener(longest=1_000)
    listener.listens = True
    heard: list[bytes] = []
    begun = 0
    for piece in cut(data, places):
        found, place = listener.feed(piece)
        heard += found
        if place is not None:
            # Up to there it is whole messages: they can be read by themselves.
            fresh = Listener(longest=1_000)
            fresh.feed(data[: begun + place])
            assert fresh.between
        begun += len(piece)
    assert heard == [text for text in told if len(text) <= 1_000]
    assert listener.between


def test_a_listener_that_does_not_listen_keeps_nothing() -> None:
    listener = Listener(longest=1_000)
    assert listener.feed(Part(Op.TEXT, b"event").written()) == ([], 11)


def test_there_is_no_place_between_the_fragments_of_a_message() -> None:
    listener = Listener(longest=1_000)
    begun = Part(Op.TEXT, b"a", last=False).written(b"")
    assert listener.feed(begun) == ([], None)
    assert listener.feed(Part(Op.PING, b"").written(b"")) == ([], None)
    assert not listener.between
    rest = Part(Op.MORE, b"b").written(b"")
    assert listener.feed(rest + begun) == ([], len(rest))
    assert not listener.between
