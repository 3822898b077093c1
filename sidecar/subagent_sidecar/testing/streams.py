"""Answers that take their time: server-sent events, and JSON after keep-alive newlines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from aiohttp import web

from subagent_sidecar.testing.engine import Engine, result_json
from subagent_sidecar.testing.events import compact
from subagent_sidecar.testing.records import Run, Stop, Thread

_HEARTBEAT = b": heartbeat\r\n\r\n"
_LEFT = Stop("interrupt", "client disconnected from the run stream (on_disconnect=cancel)")


class Streamer:
    """`heartbeat` in seconds; langgraph-api's is 5."""

    def __init__(self, engine: Engine, heartbeat: float) -> None:
        self._engine = engine
        self.heartbeat = heartbeat

    async def events(
        self,
        request: web.Request,
        run: Run,
        *,
        start: int,
        location: str,
        cancel_on_disconnect: bool = False,
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Location": f"{location}/stream",
                "Content-Location": location,
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                "Content-Type": "text/event-stream; charset=utf-8",
            }
        )
        pieces = self._event_pieces(run, start)
        await self._send(request, response, pieces, run, cancel_on_disconnect)
        return response

    async def _event_pieces(self, run: Run, start: int) -> AsyncIterator[bytes]:
        resumable = run.kwargs["resumable"]
        async with aclosing(run.events.follow(start, self.heartbeat)) as events:
            async for event in events:
                yield _HEARTBEAT if event is None else event.encode(with_id=resumable)

    async def result(
        self,
        request: web.Request,
        run: Run,
        thread: Thread | None,
        *,
        start: int,
        cancel_on_disconnect: bool = False,
    ) -> web.StreamResponse:
        """The result of the run once it ended. Without a thread to fall back on: `{}`."""
        location = f"/threads/{run.thread_id}/runs/{run.run_id}"
        response = web.StreamResponse(
            headers={
                "Location": f"{location}/join",
                "Content-Location": location,
                "Content-Type": "application/json",
            }
        )
        pieces = self._result_pieces(run, thread, start)
        await self._send(request, response, pieces, run, cancel_on_disconnect)
        return response

    async def _result_pieces(
        self, run: Run, thread: Thread | None, start: int
    ) -> AsyncIterator[bytes]:
        latest: bytes | None = None
        async with aclosing(run.events.follow(start, self.heartbeat)) as events:
            async for event in events:
                if event is None:
                    yield b"\n"
                elif event.name == "error":
                    latest = b'{"__error__":' + event.data + b"}"
                elif event.name == "values":
                    latest = event.data
        fallback: Any = {} if thread is None else result_json(thread)
        yield compact(fallback) if latest is None else latest

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        pieces: AsyncIterator[bytes],
        run: Run,
        cancel_on_disconnect: bool,
    ) -> None:
        try:
            await response.prepare(request)
            async for piece in pieces:
                await response.write(piece)
            await response.write_eof()
        except ConnectionResetError:
            self._client_left(run, cancel_on_disconnect)
        except asyncio.CancelledError:
            self._client_left(run, cancel_on_disconnect)
            raise

    def _client_left(self, run: Run, cancel_on_disconnect: bool) -> None:
        if cancel_on_disconnect and run.active:
            self._engine.cancel(run.thread_id, [run.run_id], _LEFT)
