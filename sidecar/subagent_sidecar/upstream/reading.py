"""Bytes as answers: a layer over llhttp that does no IO and holds one answer at a time.

    HEAD --final head--> BODY --end of message--> DONE --begin--> HEAD

llhttp calls `on_*` from inside `feed`. Those only collect, and raise to make it stop; what is to
be done is decided after `feed`, when it is known whether more than one answer came.

Servers write the same head again and again, but for a Date that is good for a second. A whole
answer under a head that is, byte for byte, one that llhttp has read lately is not read again: it
says what that one said.
"""

from typing import Final, NamedTuple

import httptools

from ..core.credential_names import is_secret
from ..core.fates import Fates
from ..ports import Repeated

Fields = list[tuple[bytes, bytes]]


# No enum: looking up a member costs more than all else in a callback.
HEAD: Final = 1
BODY: Final = 2
DONE: Final = 3

MAX_OVERHEAD: Final = 64 * 1024
"""Bytes of head, chunk framing or trailers that may come without any body between them."""

_HEAD_END: Final = b"\r\n\r\n"
_LONGEST_SEEN: Final = 2 * 1024
_MOST_SEEN: Final = 256

_IN_A_ROW: Final = 16
_NOW_AND_THEN: Final = 32

_ALONE = frozenset({b"content-location", b"location", b"x-request-id", b"traceparent"})


def _tells_apart(low: bytes) -> bool:
    """Whether such a field stands in no two answers alike, or holds what is not to be kept."""
    return low in _ALONE or is_secret(low.decode("latin-1"))


_TELLING_APART = Fates(_tells_apart)


class Seen(NamedTuple):
    """The head of a whole answer with a body of that `length`, to another request than HEAD, on a
    connection that was left open."""

    status: int
    reason: bytes
    fields: Repeated
    length: int


_SEEN: dict[bytes, Seen] = {}
"""By their bytes. None holds a secret, and there are few."""


class Nonsense(Exception):
    """The bytes are no HTTP/1.1 answer. Says nothing of them: they may be anybody's secret."""


class AnswerReader:
    """`parts` and `trailers` fill up while the phase is BODY; `parts` is the caller's to empty.

    `reusable` says, once DONE, whether another answer may follow on the connection.
    """

    def __init__(self) -> None:
        self.phase: int = DONE
        self.status = 0
        self.reusable = False
        self._parser: httptools.HttpResponseParser | None = None
        self._unseen = 0
        """So many answers came since one with a head that was seen before: if there are many, that
        is looked up now and then only."""

    def begin(self, *, head_only: bool) -> None:
        """Expect an answer; `head_only` when it is one to HEAD, whatever its head announces."""
        self.phase = HEAD
        self.reason = b""
        self.headers: Fields = []
        self.trailers: Fields
        self.parts: list[bytes] = []
        self._head_only = head_only
        self._fields = self.headers
        self._overhead = 0
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Raises Nonsense, but never after a whole answer: then that merely is not `reusable`."""
        end = 0
        if not self._overhead and self.phase == HEAD and not self._head_only:
            if self._unseen < _IN_A_ROW or not self._unseen % _NOW_AND_THEN:
                end = data.find(_HEAD_END, 0, _LONGEST_SEEN) + 4
                seen = _SEEN.get(data[:end])
                if seen is not None and len(data) - end == seen.length:
                    self._repeat(seen, data[end:])
                    return
            self._unseen += 1
        parser = self._parser
        assert parser is not None
        try:
            if len(data) <= MAX_OVERHEAD - self._overhead:
                self._overhead += len(data)
                parser.feed_data(data)
            else:
                self._feed_much(parser, data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, Nonsense):
            self.reusable = False
            if self.phase != DONE:
                raise Nonsense from None
        if self.phase == DONE:
            if self._head_only:
                self._parser = None  # it still waits for the body that the head announced
            elif end > 4 and self.reusable:
                self._remember(data, end)

    def _repeat(self, seen: Seen, body: bytes) -> None:
        """llhttp does not see this answer, and is where it was: before the next one."""
        self.status = seen.status
        self.reason = seen.reason
        self.headers = seen.fields
        self.trailers = []
        self.parts.append(body)
        self.reusable = True
        self.phase = DONE
        self._unseen = 0

    def _remember(self, data: bytes, end: int) -> None:
        """The head of an answer that came in one piece, if it ends there: then what follows is the
        body as it is, which only a Content-Length says."""
        whole = len(self.parts) == 1 and len(self.parts[0]) == len(data) - end
        if not whole or any([_TELLING_APART[name] for name, _ in self.headers]):
            return
        if len(_SEEN) >= _MOST_SEEN:
            _SEEN.clear()
        self.headers = fields = Repeated(self.headers)
        _SEEN[data[:end]] = Seen(self.status, self.reason, fields, len(data) - end)

    def close(self) -> None:
        """The parser refers to us: a cycle that only the collector would find."""
        self._parser = None

    def declared_length(self) -> int | None:
        for name, value in self.headers:
            if len(name) == 14 and name.lower() == b"content-length":
                return int(value)
        return None

    def ends_at_close(self) -> bool:
        """Whether nothing but the end of the connection ends this body (RFC 9112, 6.3)."""
        return (
            self.phase == BODY
            and self.declared_length() is None
            and not any(
                name.lower() == b"transfer-encoding" and b"chunked" in value.lower()
                for name, value in self.headers
            )
        )

    def _feed_much(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        """What is too long to be a head."""
        if self.phase == HEAD:
            room = MAX_OVERHEAD - self._overhead
            parser.feed_data(data[:room])
            if self.phase == HEAD:
                raise Nonsense
            data = data[room:]
        self._overhead += len(data)
        parser.feed_data(data)
        if self._overhead > MAX_OVERHEAD:
            raise Nonsense

    # -- called by llhttp

    def on_message_begin(self) -> None:
        if self.phase != HEAD:
            raise Nonsense

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status >= 200:
            self._refuse_other_codings()
            self.status = status
            self.reusable = self._parser.should_keep_alive()
            self.phase = DONE if self._head_only else BODY
            self._fields = self.trailers = []
        elif status < 100:
            raise Nonsense
        else:  # interim; llhttp itself stops at a 101, which nobody asked for
            self.headers.clear()
            self.reason = b""

    def _refuse_other_codings(self) -> None:
        """A transfer coding other than chunked would be lost on the way, and the body with it."""
        for name, value in self.headers:
            named = len(name) == 17 and name.lower() == b"transfer-encoding"
            if named and value.strip().lower() != b"chunked":
                raise Nonsense

    def on_body(self, piece: bytes) -> None:
        if self.phase != BODY:
            raise Nonsense
        self._overhead = 0
        self.parts.append(piece)

    def on_message_complete(self) -> None:
        if self.phase == BODY:
            self.phase = DONE
