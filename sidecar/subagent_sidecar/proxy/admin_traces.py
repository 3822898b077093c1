"""`GET /v1/traces/{id}`: a tree of tasks with what happened to it, and where else to look at it."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from ..core.decisions import Decision
from ..core.model import TaskRecord, timestamp
from ..core.spans_seen import SpansSeen
from ..core.trace_ids import trace_of
from ..core.trace_links import TraceLinks, filled
from ..core.trees import TreePage
from ..errors import TaskNotFound
from ..ports import Clock, Store
from . import admin_query as query
from .admin_json import answer
from .admin_spans import span_json
from .task_json import event_json

Resolve = Callable[[str], Awaitable[str]]
UpToDate = Callable[[], Awaitable[None]]
TaskJson = Callable[[TaskRecord], dict[str, Any]]

_KNOWN = frozenset({"limit", "cursor"})
_TRACE = re.compile(r"[0-9a-fA-F]{32}")
_USUAL, _MOST = 200, 1_000
_AMONG = 50_000
"""The newest tasks that a trace is looked for among: no index knows traces."""
_MOST_TREES = 100
_MOMENTS = 50
_REFUSALS = 200
_HIGHEST = 100
_SPANS_OF_ONE, _SPANS = 100, 2_000


class TraceRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, store: Store, clock: Clock, links: TraceLinks, seen: SpansSeen) -> None:
        self._store = store
        self._seen = seen
        self._clock = clock
        self._links = links

    def register(
        self, app: web.Application, resolve: Resolve, up_to_date: UpToDate, task_json: TaskJson
    ) -> None:
        async def trace(request: web.Request) -> web.Response:
            given = request.query
            query.known(given, _KNOWN)
            limit = query.number("limit", given.get("limit", str(_USUAL)), 1, _MOST)
            after = query.texts(given.get("cursor"), 2)
            await up_to_date()
            asked, tree_ids = await self._wanted(request.match_info["id"], resolve)
            page = await self._store.tree(
                tree_ids, after=None if after is None else (after[0], after[1]), limit=limit
            )
            records = [*page.records]
            if after is None and asked is not None:
                records += await self._way_up(asked, records)
            shown = await self._shown(asked, page, records, task_json)
            return answer(shown)

        app.router.add_get("/v1/traces/{id}", trace)

    async def _wanted(self, given: str, resolve: Resolve) -> tuple[str | None, Sequence[str]]:
        """The task that was asked for, and its tree; or the trees of a trace."""
        try:
            task_id = await resolve(given)
        except TaskNotFound:
            if not _TRACE.fullmatch(given):
                raise
            return None, await self._of_trace(given.lower())
        record = await self._store.task(task_id)
        if record is None:
            raise TaskNotFound(f"there is no task {task_id}")
        return task_id, [record.task.tree_id or task_id]

    async def _of_trace(self, trace_id: str) -> Sequence[str]:
        found = await self._store.trees_in(trace_id, among=_AMONG)
        if not found:
            raise TaskNotFound(
                f"'{trace_id}' is part of no task's id, and none of the newest {_AMONG:,} tasks is "
                "in a trace of that id"
            )
        return found[:_MOST_TREES]

    async def _way_up(self, asked: str, there: Sequence[TaskRecord]) -> list[TaskRecord]:
        """The task that was asked for and those above it, where the page does not reach it."""
        known = {record.task.task_id for record in there}
        found: list[TaskRecord] = []
        above: str | None = asked
        while above is not None and above not in known and len(found) < _HIGHEST:
            record = await self._store.task(above)
            if record is None:
                break
            known.add(above)
            found.insert(0, record)
            above = record.task.parent_task_id
        return found

    async def _shown(
        self,
        asked: str | None,
        page: TreePage,
        records: Sequence[TaskRecord],
        task_json: TaskJson,
    ) -> dict[str, Any]:
        ids = [record.task.task_id for record in records]
        about = next((record for record in records if record.task.task_id == asked), None)
        about = about or (records[0] if records else None)
        return {
            "trace_id": None if about is None else trace_of(about.task),
            "task_id": asked,
            "now": timestamp(self._clock.now()),
            "tasks": [task_json(record) for record in records],
            "total": page.total,
            "events": [event_json(each) for each in await self._store.moments(ids, each=_MOMENTS)],
            "refusals": [
                _refusal(each) for each in await self._store.refused_in(ids, limit=_REFUSALS)
            ],
            "spans": self._spans(ids),
            "links": {} if about is None else filled(self._links, about),
            "next_cursor": query.cursor(page.next_after),
        }

    def _spans(self, task_ids: Sequence[str]) -> list[dict[str, Any]]:
        """The newest of each task: those come last that the others are under."""
        found: list[dict[str, Any]] = []
        for task_id in task_ids:
            room = min(_SPANS_OF_ONE, _SPANS - len(found))
            spans = self._seen.of(task_id, limit=room) if room else ()
            found += [{"task_id": task_id, **span_json(span)} for span in spans]
        return found


def _refusal(decision: Decision) -> dict[str, Any]:
    """As the event that tells of it."""
    check = next((each for each in decision.checks if each.rule == decision.rule), None)
    return {
        "at": decision.until or decision.at,
        "kind": "refused",
        "task_id": decision.thread_id,
        "detail": {} if check is None else dict(decision.told(check)),
    }
