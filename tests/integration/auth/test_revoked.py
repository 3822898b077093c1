"""What a key opened is closed within seconds of its end: requests, streams and sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.auth.rig import admin, ask, guarded, new_key, request, revoke
from tests.integration.http.rig import LOCAL, Front, recording, sidecar
from tests.integration.http.wire import Wire
from tests.integration.http.ws_wire import HANDSHAKE, switching
from tests.integration.upstream.raw_server import Peer, serving
from tests.support.waiting import eventually_got

GET = "GET /threads/t"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
End = Callable[[Front, str], Awaitable[None]]


@asynccontextmanager
async def line(
    path: str, *fields: str, most: int | None = None, **more: str
) -> AsyncIterator[tuple[Front, str, Wire]]:
    """A stream or a socket that stands open through the sidecar."""

    async def script(peer: Peer) -> None:
        asked = await peer.request()
        if b"upgrade: websocket" in asked.lower():
            await peer.send(switching(asked))
        else:
            await peer.send(STREAM + b"6\r\n: on\r\n\r\n")
        await asyncio.Event().wait()

    async with (
        serving(script) as server,
        sidecar(f"http://{LOCAL}:{server.port}", auth=True, max_key_requests=most) as front,
        Wire(front.port) as wire,
    ):
        key = await new_key(front, **more)
        await wire.send(request(f"GET {path}", f"x-subagent-key: {key}", *fields))
        await wire.head()
        yield front, key, wire


async def ended(wire: Wire) -> bytes:
    async with asyncio.timeout(20):
        return await wire.reader.read()


UPGRADE = tuple(HANDSHAKE.decode().split("\r\n")[1:-1])


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/threads/t/runs/r/stream", ()),
        ("/threads/t/stream/events", UPGRADE),
    ],
)
async def test_what_stands_open_is_cut(path: str, fields: tuple[str, ...]) -> None:
    async with line(path, *fields) as (front, key, wire), Wire(front.port) as another:
        other = await new_key(front)
        await another.send(request(f"GET {path}", f"x-subagent-key: {other}", *fields))
        await another.head()
        await revoke(front, key)
        said = await ended(wire)
        assert not said.endswith(b"0\r\n\r\n")  # broken, never as if it were complete
        assert not another.reader.at_eof()  # what another key opened goes on
        await revoke(front, other)
        await ended(another)


async def test_a_key_that_expires_ends_what_it_opened() -> None:
    async with line("/threads/t/stream", expires="1s") as (_, _, wire):
        await ended(wire)


@pytest.mark.parametrize(
    ("path", "fields"), [("/threads/t/stream", ()), ("/threads/t/stream/events", UPGRADE)]
)
async def test_one_key_has_no_more_at_a_time_than_it_may(
    path: str, fields: tuple[str, ...]
) -> None:
    async with line(path, *fields, most=1) as (front, key, wire):
        other = await new_key(front)
        for _ in range(2):
            turned_away = await ask(front, GET, f"x-api-key: {key}")
            assert (turned_away.status, turned_away.get(b"retry-after")) == (429, b"1")
        async with Wire(front.port) as another:
            await another.send(request(f"GET {path}", f"x-api-key: {other}", *fields))
            line_, _ = await another.head()
            assert b" 429 " not in line_
        wire.writer.transport.abort()

        async def status() -> int:
            return (await ask(front, "GET /sidecar/nope", f"x-api-key: {key}")).status

        await eventually_got(status, lambda got: got == 404, within=20)


async def test_the_very_next_request_is_refused_on_an_open_connection_too() -> None:
    async with guarded() as (_, front, key), Wire(front.port) as wire:
        asked = request(GET, f"x-api-key: {key}")
        assert (await wire.ask(asked)).status == 200
        await revoke(front, key)
        assert (await wire.ask(asked)).status == 401


async def test_another_process_with_the_same_store_knows_within_seconds(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'books.db'}"
    async with (
        recording() as server,
        sidecar(server.url, auth=True, store=store) as one,
        sidecar(server.url, auth=True, store=store) as other,
    ):
        key = await new_key(one)

        async def status() -> int:
            return (await ask(other, GET, f"x-api-key: {key}")).status

        await eventually_got(status, lambda got: got == 200, within=20)
        await revoke(one, key)
        assert (await ask(one, GET, f"x-api-key: {key}")).status == 401
        await eventually_got(status, lambda got: got == 401, within=20)
        listed = (await admin(other, "/v1/keys"))["keys"]
        assert [each["state"] for each in listed] == ["revoked"]
