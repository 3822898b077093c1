"""ASGI applications as routes: answers as they come, and clients that leave."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientSession, web

from subagent_sidecar.proxy import asgi
from subagent_sidecar.proxy.request import DataRequest
from subagent_sidecar.proxy.server import DataServer

WITHIN = 30.0


@asynccontextmanager
async def serving(app: asgi.App) -> AsyncIterator[str]:
    """Where `app` answers."""

    async def handle(request: DataRequest) -> web.StreamResponse:
        return await asgi.serve(app, request, request.body or b"")

    server = DataServer(handle, header_timeout_s=10, max_connections=100)
    sock = socket.create_server(("127.0.0.1", 0))
    listener = await asyncio.get_running_loop().create_server(server, sock=sock)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        listener.close()
        await server.shutdown(0.1)


def start(status: int = 200) -> dict[str, Any]:
    fields = [(b"x-mine", b"1"), (b"content-length", b"99")]
    return {"type": "http.response.start", "status": status, "headers": fields}


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def test_an_application_gets_the_request_and_its_answer_is_sent() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await send(start(201))
        told = [scope["method"], scope["path"], scope["query_string"].decode()]
        await send(piece(" ".join([*told, message["body"].decode()]).encode()))

    async with (
        serving(app) as url,
        ClientSession() as client,
        client.post(f"{url}/a/b?c=d", data=b"hello") as answer,
    ):
        said = answer.status, answer.headers["x-mine"], await answer.text()
    assert said == (201, "1", "POST /a/b c=d hello")


async def test_pieces_arrive_as_they_are_sent_however_many() -> None:
    read = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(piece(b"first", more=True))
        await read.wait()
        for _ in range(100):
            await send(piece(b"x", more=True))
        await send(piece(b"."))

    async with serving(app) as url, ClientSession() as client, client.get(url) as answer:
        assert await answer.content.readany() == b"first"
        read.set()
        assert await answer.content.read() == b"x" * 100 + b"."


async def test_an_application_that_fails_in_the_midst_breaks_its_answer_off() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(piece(b"first", more=True))
        raise RuntimeError("boom")

    async with serving(app) as url, ClientSession() as client, client.get(url) as answer:
        with pytest.raises(ClientPayloadError):
            await answer.content.read()


async def test_a_client_that_leaves_is_told_of_and_does_not_end_the_application() -> None:
    done = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(start())
        await send(piece(b"first", more=True))
        assert (await receive())["type"] == "http.disconnect"
        for _ in range(100):  # nobody reads it, and nobody is held up by that
            await send(piece(b"more", more=True))
        done.set()

    async with serving(app) as url, ClientSession() as client:
        async with client.get(url) as answer:
            await answer.content.readany()
            answer.close()
        async with asyncio.timeout(WITHIN):
            await done.wait()
