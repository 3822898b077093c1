"""An agent server as far as its doors go: v2 commands over HTTP and WebSocket, A2A, MCP. Its
answers have the shape of langgraph-api's."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

CODER_ID = "7a8c3f0e-2f6b-5f0a-9d1c-0123456789ab"
STARTING = ("run.start", "input.respond", "message/send", "message/stream", "tools/call")
LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Started:
    """A message that made the server start something."""

    door: str
    message: Mapping[str, Any]
    request_id: str | None
    thread_id: str
    run_id: str


@dataclass
class DoorServer:
    """`answers` takes the place of what it would answer to a method; `gate` holds all answers
    to starts back until it is set; with `status` it answers that to everything but questions."""

    url: str = ""
    started: list[Started] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200
    drops: bool = False
    offered: list[str | None] = field(default_factory=list)
    tools: dict[str, str] = field(default_factory=dict)
    """Names of assistants, and their graphs."""

    def __post_init__(self) -> None:
        self.gate.set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/threads/{thread}/commands", self.command),
            web.get("/threads/{thread}/stream/events", self.socket),
            web.get("/threads/{thread}/runs", self.runs),
            web.get("/assistants/{assistant}", self.assistant),
            web.post("/assistants/search", self.assistants),
            web.post("/a2a/{assistant}", self.a2a),
            web.post("/mcp", self.mcp),
        ]

    def start(self, door: str, message: Any, thread: str, request_id: str | None) -> Started:
        number = len(self.started) + 1
        new = Started(door, message, request_id, thread, f"run-{number}")
        self.started.append(new)
        return new

    async def command(self, request: web.Request) -> web.StreamResponse:
        message = await self._message(request)
        reply = await self._replied(
            "command", message, request.match_info["thread"], request.headers.get("x-request-id")
        )
        return self._answer(request, reply)

    async def _replied(
        self, door: str, message: Any, thread: str, request_id: str | None
    ) -> Mapping[str, Any]:
        method = message.get("method")
        if method in STARTING:
            run = self.start(door, message, thread, request_id)
            await self.gate.wait()
            if method in self.answers:
                return {"id": message.get("id"), **self.answers[method]}
            result = {"run_id": run.run_id} if method == "run.start" else {}
            return {"type": "success", "id": message.get("id"), "result": result}
        return {"type": "success", "id": message.get("id"), "result": {"subscription_id": "s"}}

    async def socket(self, request: web.Request) -> web.StreamResponse:
        self.offered.append(request.headers.get("sec-websocket-extensions"))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            self.received.append(
                message.data.encode() if isinstance(message.data, str) else message.data
            )
            try:
                command = json.loads(message.data)
            except ValueError:
                await socket.send_json({"type": "error", "id": None, "error": "invalid_argument"})
                continue
            if not isinstance(command, dict):
                continue
            reply = await self._replied("socket", command, request.match_info["thread"], None)
            if self.drops:
                assert request.transport is not None
                request.transport.abort()
                return socket
            await socket.send_json({"type": "event", "method": "lifecycle"})
            await socket.send_json(reply)
        return socket

    async def a2a(self, request: web.Request) -> web.StreamResponse:
        message = await self._message(request)
        method = message.get("method")
        sent = (message.get("params") or {}).get("message") or {}
        if method not in STARTING:
            return self._answer(request, _rpc(message, {"kind": "task"}))
        thread = sent.get("contextId") or "made-thread"
        run = self.start("a2a", message, thread, request.headers.get("x-request-id"))
        await self.gate.wait()
        task_id = sent.get("taskId") or f"{thread}:{run.run_id}"
        answer = _rpc(message, {"kind": "task", "id": task_id, "contextId": thread})
        if method in self.answers:
            answer = {"jsonrpc": "2.0", "id": message.get("id"), **self.answers[method]}
        if method == "message/stream":
            return await self._stream(request, answer)
        return self._answer(request, answer)

    async def _stream(self, request: web.Request, answer: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for data in (answer, _rpc(answer, {"kind": "status-update", "final": True})):
            await response.write(b"event: message\r\ndata: %b\r\n\r\n" % json.dumps(data).encode())
        return response

    async def mcp(self, request: web.Request) -> web.StreamResponse:
        message = await self._message(request)
        method = message.get("method")
        if method not in STARTING:
            return self._answer(request, _rpc(message, {"tools": []}))
        self.start("mcp", message, "gone", request.headers.get("x-request-id"))
        await self.gate.wait()
        answer = _rpc(message, {"content": [{"type": "text", "text": "done"}]})
        if method in self.answers:
            answer = {"jsonrpc": "2.0", "id": message.get("id"), **self.answers[method]}
        return self._answer(request, answer)

    async def runs(self, request: web.Request) -> web.StreamResponse:
        thread = request.match_info["thread"]
        listed = [_run(run) for run in reversed(self.started) if run.thread_id == thread]
        return web.json_response(listed)

    async def assistant(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.match_info["assistant"])
        if request.match_info["assistant"] != CODER_ID:
            return web.json_response({"detail": "no"}, status=404)
        return web.json_response({"assistant_id": CODER_ID, "graph_id": "coder"})

    async def assistants(self, request: web.Request) -> web.StreamResponse:
        self.asked.append("search")
        return web.json_response(
            [{"name": name, "graph_id": graph} for name, graph in self.tools.items()]
        )

    async def _message(self, request: web.Request) -> Any:
        body = await request.read()
        self.received.append(body)
        try:
            found = json.loads(body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def _answer(self, request: web.Request, answer: Any) -> web.StreamResponse:
        if self.drops:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(answer, status=self.status)


def _rpc(message: Mapping[str, Any], result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message.get("id"), "result": result}


def _run(run: Started) -> dict[str, Any]:
    params = run.message.get("params") or {}
    return {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "status": "success",
        "metadata": params.get("metadata") or {},
        "kwargs": {"config": {"configurable": {"langgraph_request_id": run.request_id}}},
    }


@asynccontextmanager
async def door_server() -> AsyncIterator[DoorServer]:
    server = DoorServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes(server.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, LOCAL, 0)
    await site.start()
    server.url = f"http://{LOCAL}:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.gate.set()
        await runner.cleanup()
