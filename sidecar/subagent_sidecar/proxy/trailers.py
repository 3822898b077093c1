"""The trailers of request bodies: nobody reads them here, and nobody may take them for something
else.

aiohttp's parser keeps the last field of a trailer, and gives it to the next request as the first
of its header: a credential, say, or the name of an upstream. Where a proxy in front shares its
connections among clients, that is another client's request. So a request with trailers is the
last on its connection.
"""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

_EMPTY_LINE = b"\r\n\r\n"
_END = b"\r\n0" + _EMPTY_LINE
"""Of a body in chunks (or of it and its head) without trailers. With them, no line before the last
can be like that: it has a colon, or begins with a space."""


class Untrailed(web.RequestHandler):
    """`_latest` is the body of the request whose head came last; `_chunked` is that, too, if it
    comes in chunks and has not come to its end. `_ending` is what was read last of all: that is not
    what has come behind a request for another protocol, before the answer to that."""

    __slots__ = ("_chunked", "_ending", "_latest")

    def __init__(
        self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **kwargs: Any
    ) -> None:
        super().__init__(manager, loop=loop, **kwargs)
        self._latest: StreamReader | None = None
        self._chunked: StreamReader | None = None
        self._ending = b""

    def data_received(self, data: bytes) -> None:
        behind = len(self._message_tail)
        super().data_received(data)
        behind = len(self._message_tail) - behind
        read, before = data[: len(data) - behind], self._ending
        self._ending = (before + read[-len(_END) :])[-len(_END) :]
        if self._messages and self._messages[-1][1] is not self._latest:
            message, self._latest = self._messages[-1]
            chunked = isinstance(message, RawRequestMessage) and message.chunked
            self._chunked = self._latest if chunked else None
        if self._chunked is not None and self._chunked.is_eof():
            self._chunked = None
            if not _ends_plainly(before + read):
                self.close()


def _ends_plainly(read: bytes) -> bool:
    """Whether the body that ends here has no trailers. What follows it is half a head at most: so
    the last empty line is the one that ends the body, wherever else one like it may stand."""
    return read.endswith(_END, 0, read.rfind(_EMPTY_LINE) + len(_EMPTY_LINE))
