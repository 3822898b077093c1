"""WebSockets: message by message, subprotocols, pings and close codes included."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web
from aiohttp.client_exceptions import ClientError
from yarl import URL

from ..errors import UpstreamUnreachable
from . import answering, problems
from .calls import Call

_log = logging.getLogger(__name__)

_Socket = web.WebSocketResponse | ClientWebSocketResponse
_HANDSHAKE = frozenset(
    {
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
    }
)
_MAX_MESSAGE = 64 * 1024 * 1024
_NO_STATUS, _ABNORMAL = 1005, 1006


def wants_upgrade(request: web.BaseRequest) -> bool:
    """Whether this is a WebSocket handshake."""
    return (
        request.method == "GET"
        and request.headers.get("upgrade", "").lower() == "websocket"
        and "upgrade" in request.headers.get("connection", "").lower()
    )


class WebSockets:
    """Relays sockets. `session` makes the client session, on first use."""

    def __init__(self, session: Callable[[], ClientSession]) -> None:
        self._session = session

    async def serve(self, call: Call) -> web.StreamResponse:
        outgoing = call.outgoing()
        scheme = call.target.origin.replace(b"http", b"ws", 1)
        url = URL((scheme + outgoing.target).decode("ascii", "replace"), encoded=True)
        fields = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in outgoing.headers
            if name.lower() not in _HANDSHAKE
        ]
        offered = call.request.headers.getall("sec-websocket-protocol", [])
        protocols = [word.strip() for line in offered for word in line.split(",") if word.strip()]
        try:
            upstream = await self._session().ws_connect(
                url,
                headers=fields,
                protocols=protocols,
                autoclose=False,
                autoping=False,
                max_msg_size=_MAX_MESSAGE,
            )
        except WSServerHandshakeError as error:
            return _refused(call, error)
        except (ClientError, TimeoutError, OSError) as error:
            raise UpstreamUnreachable(
                f"upstream '{call.target.name}' took no WebSocket: {type(error).__name__}"
            ) from error
        async with upstream:
            return await _serve_client(call, upstream)


def _refused(call: Call, error: WSServerHandshakeError) -> web.StreamResponse:
    """The upstream said no: so do we, with its status."""
    status, fields, body = problems.problem(
        UpstreamUnreachable(f"the upstream refused the WebSocket with status {error.status}")
    )
    return answering.send(
        call.request, error.status if error.status >= 300 else status, fields, body
    )


async def _serve_client(call: Call, upstream: ClientWebSocketResponse) -> web.WebSocketResponse:
    client = web.WebSocketResponse(
        protocols=(upstream.protocol,) if upstream.protocol else (),
        autoclose=False,
        autoping=False,
        max_msg_size=_MAX_MESSAGE,
    )
    await client.prepare(call.request)
    async with asyncio.TaskGroup() as group:
        there = group.create_task(_pump(client, upstream))
        back = group.create_task(_pump(upstream, client))
        there.add_done_callback(lambda _: back.cancel())
        back.add_done_callback(lambda _: there.cancel())
    return client


async def _pump(source: _Socket, sink: _Socket) -> None:
    """Relay until `source` ends, then end `sink` the same way."""
    try:
        while True:
            message = await source.receive()
            match message.type:
                case WSMsgType.TEXT:
                    await sink.send_str(message.data)
                case WSMsgType.BINARY:
                    await sink.send_bytes(message.data)
                case WSMsgType.PING:
                    await sink.ping(message.data)
                case WSMsgType.PONG:
                    await sink.pong(message.data)
                case WSMsgType.CLOSE:
                    await _close(sink, message.data, message.extra or "")
                    await source.close()
                    return
                case _:
                    await _close(sink, source.close_code, "")
                    return
    except (ClientError, ConnectionError):
        await _close(sink, _ABNORMAL, "")


async def _close(sink: _Socket, code: int | None, reason: str) -> None:
    """Close with the other side's code. 1005 and 1006 stand for "none came" and may not be
    sent; a peer that vanished is told as "going away"."""
    if code is None or code == _ABNORMAL:
        code = 1001
    elif code == _NO_STATUS:
        code = 1000
    try:
        await sink.close(code=code, message=reason.encode()[:120])
    except (ClientError, ConnectionError, RuntimeError):
        _log.debug("the other side of a WebSocket was already gone")
