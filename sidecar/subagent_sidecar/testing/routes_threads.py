"""Thread routes of a fake server."""

from typing import Any

from aiohttp import web

from subagent_sidecar.testing.answers import answer, json_body, listing
from subagent_sidecar.testing.engine import Engine
from subagent_sidecar.testing.run_request import require_object


class ThreadRoutes:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def table(self) -> list[web.RouteDef]:
        return [
            web.post("/threads", self.create),
            web.post("/threads/search", self.search),
            web.post("/threads/count", self.count),
            web.get("/threads/{thread_id}", self.get),
            web.patch("/threads/{thread_id}", self.patch),
            web.delete("/threads/{thread_id}", self.delete),
            web.get("/threads/{thread_id}/state", self.state),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = require_object(await json_body(request))
        return answer(self._engine.threads.create(body).to_json())

    async def search(self, request: web.Request) -> web.Response:
        body = require_object(await json_body(request))
        found = self._engine.threads.search(body)
        return listing(
            [thread.to_json() for thread in found],
            limit=int(body.get("limit") or 10),
            offset=int(body.get("offset") or 0),
        )

    async def count(self, request: web.Request) -> web.Response:
        body = require_object(await json_body(request))
        return answer(len(self._engine.threads.search(body)))

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._engine.threads.get(request.match_info["thread_id"]).to_json())

    async def patch(self, request: web.Request) -> web.Response:
        body = require_object(await json_body(request))
        thread = self._engine.threads.patch(request.match_info["thread_id"], body)
        return answer(thread.to_json())

    async def delete(self, request: web.Request) -> web.Response:
        self._engine.threads.delete(request.match_info["thread_id"])
        return web.Response(status=204)

    async def state(self, request: web.Request) -> web.Response:
        state: dict[str, Any] = self._engine.threads.get(
            request.match_info["thread_id"]
        ).state_json()
        return answer(state)
