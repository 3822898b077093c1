"""WebSocket frames (RFC 6455) in passing: what must be held back until it is whole, and where the
other direction may be spoken into.

Nothing here sends or waits. Extensions are not understood: whoever reads with this has made sure
that none was agreed on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class Op(IntEnum):
    MORE = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_KNOWN = frozenset(Op)
DATA = frozenset({Op.MORE, Op.TEXT, Op.BINARY})
_LONGEST_HEAD = 14
_FIRST_LOOK = 64
_LONGEST_BLANK = 1024
"""A message of more blanks is held back: looking for its begin again and again would cost."""

_BLANK = b" \t\r\n\x00\xef\xbb\xbf\xfe\xff"
"""What may come before the brace of an object, in any encoding that somebody reads JSON in."""


class BadFrame(Exception):
    """The connection cannot go on. Both sides are told why, in a closing frame."""

    def __init__(self, reason: str, *, close_code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.close_code = close_code


@dataclass(frozen=True, slots=True)
class Head:
    """A frame's first bytes. `mask` is empty where the payload is not masked."""

    op: Op
    last: bool
    length: int
    mask: bytes
    size: int
    """Of the head itself."""


def head(data: bytes | bytearray | memoryview) -> Head | None:
    """The head that `data` begins with; None while it is not all there. Raises BadFrame."""
    if len(data) < 2:
        return None
    first, second = data[0], data[1]
    if first & 0x70 or first & 0x0F not in _KNOWN:
        raise BadFrame("a frame of an extension nobody has agreed on", close_code=1002)
    length, at = second & 0x7F, 2
    if length >= 126:
        at = 4 if length == 126 else 10
        length = int.from_bytes(data[2:at], "big")
    size = at + (4 if second & 0x80 else 0)
    if len(data) < size:
        return None
    return Head(Op(first & 0x0F), bool(first & 0x80), length, bytes(data[at:size]), size)


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """`payload` in plain; masking it again is the same."""
    if not mask or not payload:
        return payload
    size = len(payload)
    pad = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")


def frame(op: Op, payload: bytes, *, mask: bytes = b"") -> bytes:
    """One whole frame. What a client sends must be masked."""
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126:
        begin = bytes((0x80 | op, size | bit))
    elif size < 65_536:
        begin = bytes((0x80 | op, 126 | bit)) + size.to_bytes(2, "big")
    else:
        begin = bytes((0x80 | op, 127 | bit)) + size.to_bytes(8, "big")
    return begin + mask + unmasked(payload, mask)


def closing(error: BadFrame, *, mask: bytes = b"") -> bytes:
    payload = error.close_code.to_bytes(2, "big") + error.reason.encode()[:120]
    return frame(Op.CLOSE, payload, mask=mask)


@dataclass(frozen=True, slots=True)
class Message:
    """A message that may hold a JSON object: `raw` as it came, `text` in plain."""

    op: Op
    raw: bytes
    text: bytes


@dataclass(slots=True)
class _Held:
    """A message that is held back. `part` is what has come of its present frame, still masked."""

    op: Op
    raw: bytearray = field(default_factory=bytearray)
    text: bytearray = field(default_factory=bytearray)
    part: bytearray = field(default_factory=bytearray)
    certain: bool = False

    def may_be_object(self, mask: bytes) -> bool:
        if not self.certain:
            known = self.text + unmasked(bytes(self.part[:_FIRST_LOOK]), mask)
            begin = known.lstrip(_BLANK)[:1]
            self.certain = begin == b"{" or (not begin and len(known) > _LONGEST_BLANK)
            return self.certain or not begin
        return True


class _Frames:
    """Walks along a stream of frames."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._frame: Head | None = None
        self._left = 0
        self._open = False
        """Whether a message has begun and its last frame has not."""

    def _walk(self, data: bytes) -> Iterator[tuple[Head, bytes, bytes, int]]:
        """(frame, its head if it begins here, a piece of its payload, where that ends in `data`).
        Raises BadFrame."""
        at, begun = 0, b""
        while at < len(data):
            if self._frame is None:
                before = len(self._begun)
                self._begun += data[at : at + _LONGEST_HEAD - before]
                found = head(self._begun)
                if found is None:
                    return
                begun = bytes(self._begun[: found.size])
                at += found.size - before
                self._begun.clear()
                self._frame, self._left = found, found.length
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            frame_, started, begun = self._frame, begun, b""
            if self._left == 0:
                self._frame = None
                if frame_.op in DATA:
                    self._open = not frame_.last
            yield frame_, started, piece, at


class Sieve(_Frames):
    """What a client sends: bytes that hold no JSON object, at once, and whole messages that may
    hold one. Those must not be longer than `limit`. Control frames overtake what is held back."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._held: _Held | None = None

    def feed(self, data: bytes) -> Iterator[bytes | Message]:
        """Raises BadFrame."""
        begins = not self._open
        for each, started, piece, _ in self._walk(data):
            if each.op not in DATA:
                yield started + piece
                continue
            if started and (begins or each.op is not Op.MORE):
                self._hold(each)
            begins = not self._open
            if self._held is None:
                yield started + piece
            else:
                yield from self._keep(self._held, each, started + piece, piece)

    def _hold(self, begun: Head) -> None:
        if self._held is not None:
            raise BadFrame("a message began before the last one was over", close_code=1002)
        self._held = _Held(begun.op)

    def _keep(self, held: _Held, each: Head, raw: bytes, piece: bytes) -> Iterator[bytes | Message]:
        held.raw += raw
        held.part += piece
        over = self._frame is None
        if over:
            held.text += unmasked(bytes(held.part), each.mask)
            held.part.clear()
        if not held.may_be_object(each.mask) or (over and each.last and not held.certain):
            self._held = None
            yield bytes(held.raw)
        elif len(held.raw) + self._left > self._limit:
            raise BadFrame(
                f"a command is longer than {self._limit} bytes (inspect_limit)", close_code=1009
            )
        elif over and each.last:
            self._held = None
            yield Message(held.op, bytes(held.raw), bytes(held.text))


class Listener(_Frames):
    """What a server sends: its texts, while somebody `listens`, and the places between them."""

    def __init__(self, longest: int) -> None:
        super().__init__()
        self._longest = longest
        self._text: bytearray | None = None
        self._part = bytearray()
        self.listens = False

    @property
    def between(self) -> bool:
        """Whether no message is under way: a frame of one's own may be put in here."""
        return self._frame is None and not self._open and not self._begun

    def feed(self, data: bytes) -> tuple[Sequence[bytes], int | None]:
        """The texts that end in `data`, and the last place in it that lies between messages."""
        texts: list[bytes] = []
        place = None
        for each, started, piece, at in self._walk(data):
            if each.op in DATA and self._hear(each, started, piece):
                texts.append(bytes(self._text or b""))
                self._text = None
            if self._frame is None and not self._open:
                place = at
        return texts, place

    def _hear(self, each: Head, started: bytes, piece: bytes) -> bool:
        """Whether a text has ended that was listened to. Those that are too long are not kept."""
        if started and each.op is not Op.MORE:
            self._text = bytearray() if self.listens and each.op is Op.TEXT else None
            self._part.clear()
        if self._text is None:
            return False
        self._part += piece
        if len(self._text) + len(self._part) > self._longest:
            self._text = None
            return False
        if self._frame is None:
            self._text += unmasked(bytes(self._part), each.mask)
            self._part.clear()
        return self._frame is None and each.last
