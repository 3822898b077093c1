"""Cron routes of a fake server. Nothing fires by itself: a test says when."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from subagent_sidecar.testing.answers import answer, json_body, listing
from subagent_sidecar.testing.engine import Engine
from subagent_sidecar.testing.events import compact
from subagent_sidecar.testing.records import (
    ApiError,
    Json,
    Run,
    assistant_id_of,
    require_uuid,
    uuid7,
)
from subagent_sidecar.testing.run_request import Submission, graph_of, require_object

_BAD_CRON_ID = "Invalid cron ID: must be a UUID"


@dataclass(slots=True)
class _Cron:
    body: Json
    shown: Json


class CronRoutes:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._crons: dict[str, _Cron] = {}

    def table(self) -> list[web.RouteDef]:
        return [
            web.post("/runs/crons", self.create),
            web.post("/runs/crons/search", self.search),
            web.post("/runs/crons/count", self.count),
            web.get("/runs/crons/{cron_id}", self.get),
            web.patch("/runs/crons/{cron_id}", self.patch),
            web.delete("/runs/crons/{cron_id}", self.delete),
            web.post("/threads/{thread_id}/runs/crons", self.create),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = require_object(await json_body(request))
        thread_id = request.match_info.get("thread_id")
        if thread_id is not None:
            thread_id = require_uuid(thread_id, "Invalid thread ID: must be a UUID")
        graph_id = graph_of(body, list(self._engine.graphs))
        shown = self._show(body, assistant_id_of(graph_id), thread_id)
        self._crons[shown["cron_id"]] = _Cron(body, shown)
        return answer(shown)

    def _show(self, body: Json, assistant_id: str, thread_id: str | None) -> Json:
        now = self._engine.clock.now()
        cron_id = uuid7(now)
        config = {"configurable": {"cron_id": cron_id}}
        return {
            "cron_id": cron_id,
            "assistant_id": assistant_id,
            "thread_id": thread_id,
            "user_id": "",
            "end_time": body.get("end_time"),
            "schedule": body.get("schedule"),
            "timezone": body.get("timezone"),
            "payload": {**body, "assistant_id": assistant_id, "config": config},
            "next_run_date": (now + timedelta(minutes=30)).isoformat(),
            "metadata": body.get("metadata") or {},
            "on_run_completed": None if thread_id else body.get("on_run_completed", "delete"),
            "enabled": body.get("enabled", True),
            "created_at": now.isoformat(),
            "updated_at": now.isoformat(),
        }

    def fire(self, cron_id: str) -> Run:
        """Start the run the schedule would start: nobody's request, so nobody's request id."""
        cron = self._find(cron_id)
        thread_id: str | None = cron.shown["thread_id"]
        submission = Submission(
            body=cron.body,
            request_id=None,
            now=self._engine.clock.now(),
            temporary=thread_id is None,
        )
        return self._engine.submit(submission, thread_id, raw_body=compact(cron.body))

    def _find(self, cron_id: str) -> _Cron:
        cron_id = require_uuid(cron_id, _BAD_CRON_ID)
        if (cron := self._crons.get(cron_id)) is None:
            raise ApiError(404, "Not Found")
        return cron

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._find(request.match_info["cron_id"]).shown)

    async def patch(self, request: web.Request) -> web.Response:
        changes: dict[str, Any] = require_object(await json_body(request))
        shown = self._find(request.match_info["cron_id"]).shown
        shown["payload"] = {**shown["payload"], **changes}
        shown.update({key: value for key, value in changes.items() if key in shown})
        shown["updated_at"] = self._engine.clock.now().isoformat()
        return answer(shown)

    async def delete(self, request: web.Request) -> web.Response:
        self._find(request.match_info["cron_id"])
        del self._crons[require_uuid(request.match_info["cron_id"], _BAD_CRON_ID)]
        return web.Response(status=204)

    async def search(self, request: web.Request) -> web.Response:
        body = require_object(await json_body(request))
        newest_first = [cron.shown for cron in reversed(self._crons.values())]
        return listing(
            newest_first,
            limit=int(body.get("limit") or 10),
            offset=int(body.get("offset") or 0),
        )

    async def count(self, request: web.Request) -> web.Response:
        return answer(len(self._crons))
