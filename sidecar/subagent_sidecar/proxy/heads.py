"""Which request heads are plain, and what they say.

Plain is what usual clients send and nobody can read in two ways: a known method, a path, HTTP/1.1,
fields of visible ASCII on one line each and none of them twice, and nothing that changes how what
follows is framed but one Content-Length. What is not is not judged here: it is aiohttp's to read,
and to refuse. So this grammar may always be narrower than theirs and must never be wider.

A client sends nearly the same fields with each request. What was read of them is remembered, by
their very bytes (the digits of a Content-Length apart), with room for what others work out of them.
"""

import re
from typing import Any, NamedTuple

from multidict import CIMultiDict, CIMultiDictProxy

from .request import RawFields

_LARGEST_HEAD = 16 * 1024
_REMEMBERED_HEAD = 4 * 1024
_MOST_FIELDS = 100
_REMEMBERED = 64
_BODIED = frozenset({b"POST", b"PUT", b"PATCH", b"DELETE"})

_LINE = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) "
    rb"(/[A-Za-z0-9._~!$&'()*+,;=:@/%?\[\]-]*) HTTP/1\.1\r\n"
)
_FIELDS = re.compile(rb"\r\n(?:[A-Za-z0-9!#$%&'*+.^_`|~-]+:[\t ]*[\x21-\x7e][\t\x20-\x7e]*\r\n)+")
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: (0|[1-9][0-9]{0,8})\r\n")
"""The two spellings there are. Any other is left to aiohttp, see `_read`."""

_NOT_PLAIN = frozenset(
    {
        b"content-length",
        b"expect",
        b"proxy-connection",
        b"sec-websocket-key1",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""What changes the framing, or the protocol, or was said to; and what aiohttp refuses."""


class Fields:
    """The fields of a head, without Content-Length."""

    __slots__ = ("known", "named", "raw")

    def __init__(self, raw: RawFields) -> None:
        self.raw = raw
        self.named = CIMultiDictProxy(
            CIMultiDict([(name.decode(), value.decode()) for name, value in raw])
        )
        self.known: dict[Any, Any] = {}
        """See DataRequest.known."""


class Head(NamedTuple):
    """`size` is that of its own bytes, `whole` with those of the body; `length` is what was said
    of the body, if anything was."""

    method: str
    target: str
    fields: Fields
    size: int
    length: int | None
    whole: int


_Key = bytes | tuple[bytes, bytes]
"""The bytes of the fields, or those before and after the digits of their Content-Length."""


class Memory:
    """The fields that came last. Those that have not come again while as many others did, or
    between two calls of `fade`, are forgotten."""

    def __init__(self) -> None:
        self._young: dict[_Key, Fields] = {}
        self._old: dict[_Key, Fields] = {}

    def recall(self, key: _Key) -> Fields | None:
        fields = self._young.get(key)
        if fields is None:
            fields = self._old.get(key)
            if fields is not None:
                self.keep(key, fields)
        return fields

    def keep(self, key: _Key, fields: Fields) -> None:
        if len(self._young) >= _REMEMBERED:
            self.fade()
        self._young[key] = fields

    def fade(self) -> None:
        """Called now and then: credentials are among them."""
        self._old, self._young = self._young, {}


def read(data: bytes, memory: Memory) -> Head | None:
    """The head that `data` begins with; None where it is not whole, or not plain."""
    end = data.find(b"\r\n\r\n", 0, _LARGEST_HEAD) + 2
    line = _LINE.match(data)
    if line is None or end < line.end():
        return None
    method, target = line.groups()
    start = line.end() - 2
    said = _LENGTH.search(data, start, end) if method in _BODIED else None
    key: _Key
    if said is None:
        key, length = data[start:end], None
    else:
        first, behind = said.span(1)
        key, length = (data[start:first], data[behind:end]), int(said[1])
    fields = memory.recall(key)
    if fields is None:
        fields = _read(data[start:end], sized=said is not None)
        if fields is None:
            return None
        if end - start < _REMEMBERED_HEAD:
            memory.keep(key, fields)
    size = end + 2
    return Head(method.decode(), target.decode(), fields, size, length, size + (length or 0))


def _read(block: bytes, *, sized: bool) -> Fields | None:
    """The fields of a head, from the end of the line above them to that of the last. `sized`: a
    Content-Length of the usual form is among them, and may be."""
    if _FIELDS.fullmatch(block) is None:
        return None
    raw = []
    names = set()
    for line in block[2:-2].split(b"\r\n"):
        name, _, value = line.partition(b":")
        value = value.strip(b"\t ")
        low = name.lower()
        if low in names or (low == b"connection" and value.lower() != b"keep-alive"):
            return None
        names.add(low)
        if low == b"content-length" and sized:
            continue
        if low in _NOT_PLAIN:
            return None
        raw.append((name, value))
    if b"host" not in names or len(raw) > _MOST_FIELDS:
        return None
    return Fields(tuple(raw))
