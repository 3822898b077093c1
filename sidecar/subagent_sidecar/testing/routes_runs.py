"""Run routes of a fake server."""

import json
from typing import Any

from aiohttp import web

from subagent_sidecar.testing.answers import answer, int_query, json_body, yes
from subagent_sidecar.testing.engine import Engine
from subagent_sidecar.testing.faults import Fault, FaultKind
from subagent_sidecar.testing.records import ApiError, Run, Stop
from subagent_sidecar.testing.run_request import Submission, ghost_run, require_object
from subagent_sidecar.testing.streams import Streamer

FAULT = web.RequestKey("fault", Fault)
_CANCEL = "{} requested via POST /threads/{{thread_id}}/runs/{{run_id}}/cancel"
_RUN = "/threads/{thread_id}/runs/{run_id}"
_NO_SUCH_RUN = "Not Found"


class RunRoutes:
    def __init__(self, engine: Engine, streamer: Streamer) -> None:
        self._engine = engine
        self._streamer = streamer

    def table(self) -> list[web.RouteDef]:
        return [
            web.post("/runs", self.create_stateless),
            web.post("/runs/stream", self.stream),
            web.post("/runs/wait", self.wait),
            web.post("/runs/batch", self.batch),
            web.post("/runs/cancel", self.cancel_many),
            web.post("/threads/{thread_id}/runs", self.create),
            web.get("/threads/{thread_id}/runs", self.list),
            web.post("/threads/{thread_id}/runs/stream", self.stream),
            web.post("/threads/{thread_id}/runs/wait", self.wait),
            web.get(_RUN, self.get),
            web.delete(_RUN, self.delete),
            web.get(_RUN + "/join", self.join),
            web.get(_RUN + "/stream", self.join_stream),
            web.post(_RUN + "/cancel", self.cancel),
        ]

    async def _submit(self, request: web.Request, body: Any, thread_id: str | None) -> Run:
        submission = Submission(
            body=require_object(body),
            request_id=request.headers.get("x-request-id"),
            now=self._engine.clock.now(),
            temporary=thread_id is None,
        )
        raw = await request.read()
        return self._engine.submit(submission, thread_id, raw_body=raw, quirk=_quirk(request))

    async def create(self, request: web.Request) -> web.Response:
        run = await self._submit(request, await json_body(request), request.match_info["thread_id"])
        return answer(run.to_json(), headers={"Content-Location": _location(run)})

    async def create_stateless(self, request: web.Request) -> web.Response:
        run = await self._submit(request, await json_body(request), None)
        return answer(run.to_json(), headers={"Content-Location": f"/runs/{run.run_id}"})

    async def batch(self, request: web.Request) -> web.Response:
        bodies = await json_body(request)
        if not isinstance(bodies, list) or not bodies:
            raise ApiError(422, f'{bodies} has less than 1 item\n\nFailed validating "minItems"')
        return answer([(await self._submit(request, body, None)).to_json() for body in bodies])

    async def stream(self, request: web.Request) -> web.StreamResponse:
        thread_id = request.match_info.get("thread_id")
        body = await json_body(request)
        run = await self._submit(request, body, thread_id)
        return await self._streamer.events(
            request,
            run,
            start=0,
            location=_location(run) if thread_id else f"/runs/{run.run_id}",
            cancel_on_disconnect=body.get("on_disconnect") == "cancel",
        )

    async def wait(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request)
        run = await self._submit(request, body, request.match_info.get("thread_id"))
        return await self._streamer.result(
            request,
            run,
            self._engine.threads.find(run.thread_id),
            start=0,
            cancel_on_disconnect=body.get("on_disconnect") == "cancel",
        )

    def _run(self, request: web.Request, *, missing: str = _NO_SUCH_RUN) -> Run:
        ids = request.match_info
        return self._engine.get_run(ids["thread_id"], ids["run_id"], missing=missing)

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._run(request).to_json())

    async def delete(self, request: web.Request) -> web.Response:
        self._engine.threads.delete_run(self._run(request, missing="Run not found"))
        return web.Response(status=204)

    async def list(self, request: web.Request) -> web.Response:
        """Newest first; no pagination headers, as on the real server."""
        thread = self._engine.threads.get(request.match_info["thread_id"])
        limit, offset = int_query(request, "limit", 10), int_query(request, "offset", 0)
        status, select = request.query.get("status"), request.query.getall("select", [])
        newest_first = [
            run.to_json()
            for run in reversed(self._engine.threads.runs_of(thread.thread_id))
            if status is None or run.status == status
        ][offset : offset + limit]
        if select:
            newest_first = [{k: v for k, v in row.items() if k in select} for row in newest_first]
        return answer(newest_first)

    def _run_or_ghost(self, request: web.Request) -> Run:
        """Joining a run nobody knows answers 200, and says so in the body only."""
        try:
            return self._run(request)
        except ApiError as error:
            if error.detail != _NO_SUCH_RUN:
                raise
        ids = request.match_info
        return ghost_run(ids["thread_id"], ids["run_id"], self._engine.clock.now())

    async def join(self, request: web.Request) -> web.StreamResponse:
        run = self._run_or_ghost(request)
        return await self._streamer.result(
            request,
            run,
            self._engine.threads.find(run.thread_id),
            start=_live_from(run),
            cancel_on_disconnect=yes(request.query.get("cancel_on_disconnect", "")),
        )

    async def join_stream(self, request: web.Request) -> web.StreamResponse:
        """Live events from now on; of a resumable run also those after Last-Event-ID."""
        run = self._run_or_ghost(request)
        last = request.headers.get("Last-Event-ID")
        resumable = bool(run.kwargs["resumable"]) and last is not None
        return await self._streamer.events(
            request,
            run,
            start=run.events.after(last or "") if resumable else _live_from(run),
            location=_location(run),
            cancel_on_disconnect=yes(request.query.get("cancel_on_disconnect", "")),
        )

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        ids, wait = request.match_info, yes(request.query.get("wait", ""))
        action = _action(request)
        run = self._engine.threads.find_run(ids["thread_id"], ids["run_id"])
        self._engine.cancel(
            ids["thread_id"],
            [ids["run_id"]],
            Stop(action, _CANCEL.format(action)),
            joined=wait,
            quirk=_quirk(request),
        )
        if not wait or run is None:
            return web.Response(status=202)
        start = len(run.events.events)
        return await self._streamer.result(request, run, None, start=start)

    async def cancel_many(self, request: web.Request) -> web.Response:
        body = require_object(await json_body(request))
        action = _action(request)
        stop = Stop(action, f"{action} requested via POST /runs/cancel")
        if status := body.get("status"):
            self._cancel_by_status(body, str(status), stop)
        elif "thread_id" in body and "run_ids" in body:
            self._engine.cancel(
                str(body["thread_id"]), body["run_ids"], stop, quirk=_quirk(request)
            )
        else:
            shown = json.dumps(body, separators=(",", ":"))
            raise ApiError(
                422,
                f"{shown} is not valid under any of the schemas listed in the 'oneOf' keyword"
                f'\n\nFailed validating "oneOf" in schema\n\nOn instance:\n    {shown}',
            )
        return web.Response(status=204)

    def _cancel_by_status(self, body: dict[str, Any], status: str, stop: Stop) -> None:
        if status not in ("pending", "running", "all"):
            raise ApiError(422, f'"{status}" is not one of "pending", "running" or "all"')
        if body.get("thread_id") or body.get("run_ids"):
            raise ApiError(
                422,
                "When providing a 'status', 'thread_id' and 'run_ids' must be omitted. The"
                " 'status' parameter cancels all runs with the given status, regardless of"
                " thread or run ID.",
            )
        self._engine.cancel_by_status(status, stop)


def _live_from(run: Run) -> int:
    """Where to join a stream: nothing that was said before is repeated."""
    return 0 if run.ghost else len(run.events.events)


def _location(run: Run) -> str:
    return f"/threads/{run.thread_id}/runs/{run.run_id}"


def _action(request: web.Request) -> str:
    action = request.query.get("action", "interrupt")
    return action if action in ("interrupt", "rollback") else "interrupt"


def _quirk(request: web.Request) -> FaultKind | None:
    fault = request.get(FAULT)
    return None if fault is None else fault.kind
