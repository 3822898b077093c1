"""Requests to the data plane from inside this process: what a client could ask, without a socket.

They are requests like others to all who serve them, and their answers are the same bytes.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import httptools
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from ..core.principal import Principal
from ..ports import Headers
from ..tasks import spawn
from ..tools.door import Answered
from .request import DataRequest

_LARGEST = 32 * 1024 * 1024
_HOST = (b"Host", b"subagent-sidecar")

Handle = Callable[[DataRequest], Awaitable[web.StreamResponse]]


class Inside:
    """tools.door.Door over `DataPlane.handle_own`, which is set once there is a data plane."""

    def __init__(self) -> None:
        self.handle: Handle | None = None

    async def ask(
        self,
        method: str,
        target: str,
        *,
        principal: Principal,
        fields: Headers,
        body: Mapping[str, Any] | None = None,
    ) -> Answered:
        """See tools.door.Door."""
        line = _Line()
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        request = _request(line, method, target, fields, content)
        request.principal = principal
        task = spawn(self._serve(line, request), name="tool", awaited=True)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            line.left(task)
            raise
        return line.answer()

    async def _serve(self, line: "_Line", request: DataRequest) -> None:
        assert self.handle is not None, "the data plane is not up yet"
        try:
            await self.handle(request)
        except ConnectionError:
            line.close()  # the client has left, or cannot take so much


def _request(
    line: "_Line", method: str, target: str, fields: Headers, content: bytes | None
) -> DataRequest:
    raw = [_HOST, *fields]
    if content is not None:
        raw += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
    named = CIMultiDict((k.decode(), v.decode("utf-8", "surrogateescape")) for k, v in raw)
    return DataRequest(
        cast(Any, line),
        method,
        target,
        raw_headers=tuple(raw),
        headers=CIMultiDictProxy(named),
        known={},
        peer_host=b"127.0.0.1",
        content_length=None if content is None else len(content),
        body=content or None,
    )


class _Line:
    """A connection as far as a request sees of it: protocol, transport and writer in one. What is
    written is read as an answer at once."""

    ssl_context = None
    peername = sockname = None
    stopping = False
    _reading_paused = False

    def __init__(self) -> None:
        self.held = False
        self.writing_paused = False
        self._open = True
        self._whole = False
        self._parser = httptools.HttpResponseParser(self)
        self._reason = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._body = bytearray()

    def answer(self) -> Answered:
        if not self._whole and not self._parser.get_status_code():
            return Answered(502, "Bad Gateway", (), b"", cut_off=True)
        return Answered(
            self._parser.get_status_code(),
            self._reason.decode("latin-1"),
            self._fields,
            bytes(self._body),
            cut_off=not self._whole,
        )

    def left(self, task: "asyncio.Task[None]") -> None:
        """Whoever asked is gone; see DataProtocol.connection_lost."""
        self._open = False
        if not self.held:
            task.cancel()

    # What requests and answers ask of a protocol, a transport and a writer

    @property
    def transport(self) -> "_Line | None":
        return self if self._open else None

    def write(self, data: bytes) -> None:
        if self._open:
            self._parser.feed_data(data)

    def is_closing(self) -> bool:
        return not self._open

    def close(self) -> None:
        self._open = False

    def abort(self) -> None:
        self._open = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    async def drain(self) -> None:
        raise ConnectionResetError("an answer too long to be read")

    def pause_reading(self) -> None:
        """All of the body is here."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """All of the body is here."""

    # Called by llhttp

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_body(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > _LARGEST:
            self._body.clear()
            self.writing_paused = True  # whoever writes waits, and is told in `drain`

    def on_message_complete(self) -> None:
        self._whole = True
