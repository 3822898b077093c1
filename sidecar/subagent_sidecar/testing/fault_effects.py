"""How each fault of `faults.py` is brought about on an aiohttp server."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from subagent_sidecar.testing.faults import Fault, FaultKind

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BEFORE = frozenset({FaultKind.RESET, FaultKind.HANG, FaultKind.STATUS, FaultKind.GARBAGE})
"""Faults that keep the request from being looked at."""


async def instead(request: web.Request, fault: Fault) -> web.StreamResponse:
    """The answer to a request that is not looked at."""
    match fault.kind:
        case FaultKind.RESET:
            reset(request)
        case FaultKind.HANG:
            await asyncio.Event().wait()
        case FaultKind.GARBAGE:
            _write_raw(request, fault.body)
        case _:
            headers = {"Content-Type": "application/json", **fault.headers}
            return web.Response(status=fault.status, headers=headers, body=fault.body)
    return web.Response()


async def afterwards(
    request: web.Request, response: web.StreamResponse, fault: Fault
) -> web.StreamResponse:
    """What becomes of the answer to a request that was done. Streams pass as they are."""
    if response.prepared or not isinstance(response, web.Response):
        return response
    match fault.kind:
        case FaultKind.DELAY_HEAD:
            await asyncio.sleep(fault.seconds)
        case FaultKind.RESET_AFTER:
            reset(request)
        case FaultKind.HANG_AFTER:
            await asyncio.Event().wait()
        case FaultKind.DELAY_BODY:
            return await _late_body(request, response, fault.seconds)
        case FaultKind.TRUNCATE:
            return await _truncated(request, response, fault.keep)
        case _:
            pass
    return response


def reset(request: web.Request) -> None:
    """Close with RST: whatever was buffered for the client is dropped."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def _write_raw(request: web.Request, data: bytes) -> None:
    if request.transport is not None:
        request.transport.write(data)
        request.transport.close()


async def _head_only(request: web.Request, response: web.Response) -> web.StreamResponse:
    body = _body_of(response)
    partial = web.StreamResponse(status=response.status, headers=response.headers)
    partial.content_length = len(body)
    await partial.prepare(request)
    return partial


async def _late_body(
    request: web.Request, response: web.Response, seconds: float
) -> web.StreamResponse:
    partial = await _head_only(request, response)
    await partial.write(b"")
    await asyncio.sleep(seconds)
    await partial.write_eof(_body_of(response))
    return partial


async def _truncated(request: web.Request, response: web.Response, keep: int) -> web.StreamResponse:
    partial = await _head_only(request, response)
    await partial.write(_body_of(response)[:keep])
    if request.transport is not None:
        request.transport.close()
    return partial


def _body_of(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""
