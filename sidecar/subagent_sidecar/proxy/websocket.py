"""WebSockets: a tunnel for bytes, once the upstream has agreed to one.

Nothing is taken apart, so subprotocols, extensions, fragments, pings, close codes and messages of
any size are what they would be without us, and a peer that vanishes without a closing handshake
vanishes on the other side too. Where commands may start runs, frames are read in passing (see
`command_socket`); there no extension is offered to the upstream, for it would hide them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from aiohttp import ClientResponse, ClientSession, ClientTimeout, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_exceptions import ClientError
from aiohttp.http import StreamWriter
from yarl import URL

from ..core.wire import Act
from ..errors import BadTarget, ForeignOrigin, UpstreamBroken, UpstreamUnreachable
from ..ports import Headers
from . import answering, forwarding
from .calls import Call
from .command_socket import CommandSocket
from .data_protocol import DataProtocol
from .doors import Doors
from .foreign_pages import is_local
from .request import DataRequest
from .tactful import websocket_is_named
from .telling import Telling

_CONNECT_S = 5.0
_BUFFER = 64 * 1024
_UPGRADE = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
_EXTENSIONS = b"sec-websocket-extensions"
_NOTHING_ADDED = ("Accept", "Accept-Encoding", "User-Agent")


def wants_upgrade(request: DataRequest) -> bool:
    """Whether this is a WebSocket handshake."""
    return (
        request.method == "GET"
        and websocket_is_named(request.headers)
        and "upgrade" in request.headers.get("connection", "").lower()
        and request.version >= (1, 1)
        and not request.body_exists
    )


class WebSockets:
    """Relays sockets. `session` makes the client session, on first use; starts go by `doors`.
    `origins` are those of web pages that may open one; `*` is all of them.

    Browsers let the pages of any site open a socket to any address and say what they like: the
    rules that keep them from reading answers do not hold there. So pages of strangers are refused.
    """

    def __init__(
        self,
        session: Callable[[], ClientSession],
        *,
        doors: Doors,
        telling: Telling,
        origins: Collection[str] = (),
    ) -> None:
        self._origins = frozenset(origins)
        self._session = session
        self._doors = doors
        self._telling = telling

    async def serve(self, call: Call) -> web.StreamResponse:
        call.request.timed = False
        self._refuse_foreign_pages(call.request)
        response = await self._shake_hands(call)
        try:
            if response.status == 101:
                return await self._tunnel(call, response)
            forwarding.note_denial(call, response.status)
            return await forwarding.give_back(call, _Refusal(response))
        finally:
            response.close()

    def _refuse_foreign_pages(self, request: DataRequest) -> None:
        if "*" in self._origins:
            return
        for origin in request.headers.getall("origin", []):
            if not is_local(origin) and origin.lower() not in self._origins:
                raise ForeignOrigin(
                    f"pages of '{origin[:80]}' may open no WebSocket here; `allowed_origins` in "
                    "the sidecar's settings says which may"
                )

    async def _shake_hands(self, call: Call) -> ClientResponse:
        outgoing = call.outgoing(extra=_UPGRADE)
        if not outgoing.target.isascii():
            raise BadTarget("the path of a WebSocket must be percent-encoded")
        try:
            return await self._session().get(
                URL((call.target.origin + outgoing.target).decode(), encoded=True),
                headers=_offered(call, outgoing.headers),
                skip_auto_headers=_NOTHING_ADDED,
                allow_redirects=False,
                ssl=call.target.ssl_context or True,
                timeout=ClientTimeout(
                    sock_connect=_CONNECT_S, sock_read=call.limits.answer_timeout_s
                ),
            )
        except (ClientError, TimeoutError, OSError) as error:
            raise UpstreamUnreachable(
                f"upstream '{call.target.name}' took no WebSocket: {type(error).__name__}"
            ) from error

    async def _tunnel(self, call: Call, response: ClientResponse) -> answering.Sent:
        """Pass bytes both ways until either side ends its connection."""
        connection, asking = response.connection, call.request.connection
        assert isinstance(asking, DataProtocol)  # no handshake is plain
        client = asking.transport
        if connection is None or connection.protocol is None or client is None:
            raise UpstreamBroken("a WebSocket was gone before it began")
        protocol, upstream = connection.protocol, connection.protocol.transport
        assert upstream is not None
        protocol.read_timeout = None
        fields = [*call.target.crossing.back(response.raw_headers)[0], *_UPGRADE]
        switching = answering.head(
            call.request, 101, b"Switching Protocols", fields, b"", keep=True
        )
        client.write(switching)
        from_client, from_upstream = _Feed(asking), _Feed(protocol)
        asking.set_parser(from_client)  # type: ignore[arg-type]
        protocol.set_parser(from_upstream, from_upstream.stream)
        loop = asyncio.get_running_loop()
        writer, back = StreamWriter(protocol, loop), StreamWriter(asking, loop)
        relay = self._relay(call, client, upstream)
        call.target.meter.sockets += 1
        try:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(_pump(from_client.stream, relay.up, writer))
                await _pump(from_upstream.stream, relay.down, back)
                up.cancel()
        finally:
            call.target.meter.sockets -= 1
            relay.over()
        return answering.Sent(101, keep=False)

    def _relay(
        self, call: Call, client: asyncio.Transport, upstream: asyncio.Transport
    ) -> "_Relay | CommandSocket":
        if call.meaning.act is Act.COMMAND_SOCKET:
            return CommandSocket(call, self._doors, self._telling, client=client, upstream=upstream)
        return _Relay(client, upstream)


class _Relay:
    """Passes everything on as it is."""

    def __init__(self, client: asyncio.Transport, upstream: asyncio.Transport) -> None:
        self._client = client
        self._upstream = upstream

    async def up(self, piece: bytes) -> None:
        self._upstream.write(piece)

    async def down(self, piece: bytes) -> None:
        self._client.write(piece)

    def over(self) -> None:
        pass


def _offered(call: Call, fields: Headers) -> list[tuple[str, str]]:
    """The client's handshake. Of one name in two spellings the client library would keep the
    last."""
    hidden = _EXTENSIONS if call.meaning.act is Act.COMMAND_SOCKET else None
    return [(_text(low), _text(value)) for name, value in fields if (low := name.lower()) != hidden]


def _text(field: bytes) -> str:
    return field.decode("utf-8", "replace")


class _Refusal:
    """ports.Exchange: what an upstream answers that wants no WebSocket."""

    body = None
    waited_s = 0.0

    def __init__(self, response: ClientResponse) -> None:
        self.status = response.status
        self.reason = (response.reason or "").encode("utf-8", "surrogateescape")
        self.headers: Headers = response.raw_headers
        self._response = response

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except ClientError as error:
            raise UpstreamBroken("the answer to a WebSocket handshake broke off") from error

    def abort(self) -> None:
        self._response.close()


class _Feed:
    """Where aiohttp puts the bytes of a connection that is HTTP no more."""

    def __init__(self, protocol: BaseProtocol) -> None:
        self.stream = StreamReader(protocol, _BUFFER, loop=asyncio.get_running_loop())

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.stream.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self.stream.feed_eof()


async def _pump(
    source: StreamReader, take: Callable[[bytes], Awaitable[None]], writer: AbstractStreamWriter
) -> None:
    try:
        while piece := await source.readany():
            await take(piece)
            await writer.drain()
    except ConnectionError:
        return  # the sink is gone, which the other direction sees too
