"""`/v1/tasks/{id}/spans`: what others told of a task, for whoever draws its trace."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ..core.spans_seen import OF_ONE_TASK, SeenSpan, SpansSeen
from . import admin_query as query
from .admin_json import answer

_KNOWN = frozenset({"limit"})


class SpanRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, seen: SpansSeen) -> None:
        self._seen = seen
        self._resolve: Callable[[str], Awaitable[str]] | None = None
        self._up_to_date: Callable[[], Awaitable[None]] | None = None

    def register(
        self,
        app: web.Application,
        resolve: Callable[[str], Awaitable[str]],
        up_to_date: Callable[[], Awaitable[None]],
    ) -> None:
        self._resolve = resolve
        self._up_to_date = up_to_date
        app.router.add_get("/v1/tasks/{task_id}/spans", self.spans)

    async def spans(self, request: web.Request) -> web.Response:
        """The newest that came by, oldest first, as long as this process remembers them."""
        given = request.query
        query.known(given, _KNOWN)
        limit = query.number("limit", given.get("limit", str(OF_ONE_TASK)), 1, OF_ONE_TASK)
        assert self._resolve is not None and self._up_to_date is not None
        await self._up_to_date()
        task_id = await self._resolve(request.match_info["task_id"])
        spans = [span_json(span) for span in self._seen.of(task_id, limit=limit)]
        return answer({"task_id": task_id, "spans": spans})


def span_json(span: SeenSpan) -> dict[str, Any]:
    return {
        "name": span.name,
        "service": span.service,
        "start": span.start,
        "end": span.end,
        "status": "unset" if span.error is None else "error",
        "error": span.error,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_id,
        "run_id": span.run_id,
    }
