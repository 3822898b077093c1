"""An Agent Protocol server in this process, on a real port, that does as it is told."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.testing.answers import answer
from subagent_sidecar.testing.engine import Engine
from subagent_sidecar.testing.fault_effects import BEFORE, Handler, afterwards, instead
from subagent_sidecar.testing.faults import FaultTable
from subagent_sidecar.testing.ledger import Ledger, Received
from subagent_sidecar.testing.records import ApiError, Json, WallClock, assistant_id_of
from subagent_sidecar.testing.routes_crons import CronRoutes
from subagent_sidecar.testing.routes_runs import FAULT, RunRoutes
from subagent_sidecar.testing.routes_threads import ThreadRoutes
from subagent_sidecar.testing.scripts import USUAL_GRAPHS, Script
from subagent_sidecar.testing.streams import Streamer

_MAX_BODY = 300 * 1024 * 1024
_INFO: Json = {
    "version": "0.16.7",
    "langgraph_py_version": "1.2.22",
    "flags": {"assistants": True, "crons": True, "langsmith": False},
    "host": {"kind": "self-hosted", "project_id": None, "host_revision_id": None},
}


class FakeAgentServer:
    """Behaves like langgraph-api 0.16.7 (see tests/contract), and like a broken one on demand.

        async with FakeAgentServer({"worker": succeed(after=0.2)}) as server:
            server.faults.add(FaultKind.RESET_AFTER, "/threads/*/runs", method="POST")
            ...  # talk to server.url
            assert server.ledger.run_ids == [...]

    `graphs` are the graph ids it knows and what each does; the default is `USUAL_GRAPHS`. Runs are
    picked up after `pickup_seconds` (a real `langgraph dev` takes about a second). Streams carry a
    sign of life every `heartbeat_seconds`. With `ledger_path` the ledger is also a file.
    """

    def __init__(
        self,
        graphs: Mapping[str, Script] | None = None,
        *,
        ledger_path: Path | None = None,
        pickup_seconds: float = 0.0,
        heartbeat_seconds: float = 5.0,
        port: int = 0,
        clock: WallClock | None = None,
    ) -> None:
        self.graphs = dict(USUAL_GRAPHS if graphs is None else graphs)
        self.faults = FaultTable()
        self.ledger = Ledger(ledger_path)
        self.requests: list[Received] = []
        self._clock = clock or SystemClock()
        self._engine = Engine(self.graphs, self.ledger, self._clock, pickup_seconds)
        self._streamer = Streamer(self._engine, heartbeat_seconds)
        self._crons = CronRoutes(self._engine)
        self._port = port
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def executing(self) -> frozenset[str]:
        """Ids of the runs whose graph is at work, whatever the API says of them."""
        return frozenset(self._engine.executor.executing)

    def fire_cron(self, cron_id: str) -> str:
        """Let a schedule come due; returns the id of the run it starts."""
        return self._crons.fire(cron_id).run_id

    def received(self, method: str = "*", path_end: str = "") -> list[Received]:
        """The journal, narrowed to a method and to paths with a given end."""
        return [
            r for r in self.requests if method in ("*", r.method) and r.raw_path.endswith(path_end)
        ]

    async def __aenter__(self) -> Self:
        app = web.Application(
            client_max_size=_MAX_BODY, middlewares=[self._journal, self._faulty, _errors_as_json]
        )
        app.on_response_prepare.append(_vary)
        routes = RunRoutes(self._engine, self._streamer)
        app.add_routes([*self._crons.table(), *routes.table(), *ThreadRoutes(self._engine).table()])
        app.add_routes([web.get("/ok", _ok), web.get("/info", _info)])
        app.add_routes([web.post("/assistants/search", self._assistants)])
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            handler_cancellation=True,
            shutdown_timeout=0.05,
        )
        self._stack.callback(self.ledger.close)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        self._stack.push_async_callback(self._engine.aclose)
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        self._port = int(runner.addresses[0][1])
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _assistants(self, _request: web.Request) -> web.Response:
        """One for each graph, as the server makes them itself."""
        return answer(
            [
                {
                    "assistant_id": assistant_id_of(graph),
                    "graph_id": graph,
                    "name": graph,
                    "description": None,
                    "metadata": {"created_by": "system"},
                }
                for graph in self.graphs
            ]
        )

    @web.middleware
    async def _journal(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            limit = f"Request body too large (limit: {_MAX_BODY} bytes)"
            return answer({"detail": limit}, status=413)
        path, _, query = request.raw_path.partition("?")
        self.requests.append(
            Received(
                method=request.method,
                raw_path=path,
                raw_query=query,
                raw_headers=request.raw_headers,
                body=body,
                at=self._clock.now(),
            )
        )
        return await handler(request)

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = self.faults.take(request.method, request.raw_path.partition("?")[0])
        if fault is None:
            return await handler(request)
        if fault.kind in BEFORE:
            return await instead(request, fault)
        request[FAULT] = fault
        return await afterwards(request, await handler(request), fault)


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return answer({"detail": error.detail}, status=error.status)
    except web.HTTPMethodNotAllowed as error:
        allow = {"Allow": error.headers["Allow"]}
        return answer({"detail": "Method Not Allowed"}, status=405, headers=allow)
    except web.HTTPNotFound:
        return answer({"detail": "Not Found"}, status=404)


async def _vary(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.setdefault("Vary", "Origin")


async def _ok(_request: web.Request) -> web.Response:
    return answer({"ok": True, "services": {}})


async def _info(_request: web.Request) -> web.Response:
    info: dict[str, Any] = _INFO
    return answer(info)
