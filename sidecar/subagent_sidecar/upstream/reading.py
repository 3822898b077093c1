"""Bytes as answers: a layer over llhttp that does no IO and holds one answer at a time.

    HEAD --final head--> BODY --end of message--> DONE --begin--> HEAD

llhttp calls `on_*` from inside `feed`. Those only collect, and raise to make it stop; what is to
be done is decided after `feed`, when it is known whether more than one answer came.
"""

from typing import Final

import httptools

Fields = list[tuple[bytes, bytes]]


# No enum: looking up a member costs more than all else in a callback.
HEAD: Final = 1
BODY: Final = 2
DONE: Final = 3

MAX_OVERHEAD: Final = 64 * 1024
"""Bytes of head, chunk framing or trailers that may come without any body between them."""


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
        if self._head_only and self.phase == DONE:
            self._parser = None  # it still waits for the body that the head announced

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
            _refuse_other_codings(self.headers)
            self.status = status
            self.reusable = self._parser.should_keep_alive()
            self.phase = DONE if self._head_only else BODY
            self._fields = self.trailers = []
        elif status < 100:
            raise Nonsense
        else:  # interim; llhttp itself stops at a 101, which nobody asked for
            self.headers.clear()
            self.reason = b""

    def on_body(self, piece: bytes) -> None:
        if self.phase != BODY:
            raise Nonsense
        self._overhead = 0
        self.parts.append(piece)

    def on_message_complete(self) -> None:
        if self.phase == BODY:
            self.phase = DONE


def _refuse_other_codings(fields: Fields) -> None:
    """A transfer coding other than chunked would be lost on the way, and the body with it."""
    for name, value in fields:
        named = len(name) == 17 and name.lower() == b"transfer-encoding"
        if named and value.strip().lower() != b"chunked":
            raise Nonsense
