"""Requests in, answers out: the small change of the fake server's routes."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from subagent_sidecar.testing.events import compact
from subagent_sidecar.testing.records import ApiError, Json


def answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer, spelled as langgraph-api spells it."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(status=status, headers=fields, body=compact(value))


def listing(rows: list[Json], *, limit: int, offset: int) -> web.Response:
    """One page. x-pagination-total is what the in-memory server says: what it knows up to here."""
    page = rows[offset : offset + limit]
    more = len(rows) > offset + limit
    headers = {"X-Pagination-Total": str(offset + len(page) + more)}
    if more:
        headers["X-Pagination-Next"] = str(offset + limit)
    return answer(page, headers=headers)


async def json_body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError:
        raise ApiError(422, "Invalid JSON in request body") from None


def int_query(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ApiError(400, f"invalid literal for int() with base 10: {value!r}") from None


def yes(value: str) -> bool:
    return value.lower() in {"true", "yes", "1"}
