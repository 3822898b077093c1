"""`GET /v1/events`: what happens to tasks, as a stream that can be resumed, or page by page."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from ..core.feed import EventQuery, ToldEvent
from ..core.model import timestamp
from ..errors import BadQuery, StoreError
from ..ports import Store
from ..service import Service
from .admin_following import Follower, Followers
from .admin_guard import STANDING

_log = logging.getLogger(__name__)

Resolve = Callable[[str], Awaitable[str]]
"""The id meant by an id or a part of one. Raises TaskNotFound, AmbiguousTask."""

_POSITIONS = ("after", "since", "last")
_FILTERS = ("task", "session", "agent", "upstream", "kind")
_KNOWN = frozenset({*_POSITIONS, *_FILTERS, "limit", "follow"})
_MAX_LIMIT = 1_000
_AT_ONCE = 500
"""Events that a stream reads and writes at once."""

_MAX_NUMBER = 2**62
_HEARTBEAT_S = 15.0
_TAKEN_WITHIN_S = 60.0
"""A client that takes nothing for this long is cut off; it may resume."""

_COMPANY_S = 0.05
"""News wait so long for company: under load a follower reads twenty times a second, not at every
commit."""

_PATIENCE_S = 0.5
_PRUNED = "events of tasks that ended longer ago than `retention` are on record no more"
_ANOTHER_RECORD = "the record is another one than before; this is all of it"
_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where to begin, and what a client that resumes has missed for good."""

    query: EventQuery
    gap: dict[str, Any] | None = None


class EventRoutes:
    """Handlers; `register` adds them. Streams end when the application shuts down."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        heartbeat_s: float = _HEARTBEAT_S,
        taken_within_s: float = _TAKEN_WITHIN_S,
    ) -> None:
        self._service = service
        self._store = store
        self._heartbeat_s = heartbeat_s
        self._taken_within_s = taken_within_s
        self._followers = Followers(store)
        self._resolve: Resolve | None = None
        service.on_entered(self._followers.tell)

    @property
    def streams(self) -> int:
        """How many are being followed now."""
        return len(self._followers)

    def register(self, app: web.Application, resolve: Resolve) -> None:
        self._resolve = resolve
        app.router.add_get("/v1/events", self.events, allow_head=False)
        app.on_shutdown.append(self._close)

    async def _close(self, app: web.Application) -> None:
        self._followers.close()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """A stream, unless `follow=false` or the client wants JSON."""
        with suppress(TimeoutError):  # what just happened belongs to the answer
            async with asyncio.timeout(_PATIENCE_S):
                await self._service.refusals_entered()
        beginning = await self._beginning(request)
        if _follows(request):
            return await self._stream(request, beginning)
        page = await self._store.events_after(beginning.query)
        return _json(
            {
                "events": [told_json(told) for told in page.events],
                "after": page.upto,
                "more": page.more,
                "gap": beginning.gap,
            }
        )

    async def _beginning(self, request: web.Request) -> _Beginning:
        given = request.query
        for unknown in given.keys() - _KNOWN:
            raise BadQuery(f"'{unknown}' is not a filter; there are: {', '.join(sorted(_KNOWN))}")
        query = EventQuery(
            limit=_number("limit", given.get("limit", "100"), 1, _MAX_LIMIT),
            task_id=await self._task(given.get("task")),
            session_id=given.get("session"),
            agent_name=given.get("agent"),
            upstream=given.get("upstream"),
            kinds=frozenset(kind.strip() for kind in given.get("kind", "").split(",")) - {""},
        )
        resumed = request.headers.get("Last-Event-ID", "").strip()
        if resumed:
            return await self._resumed(query, _number("Last-Event-ID", resumed, 0, _MAX_NUMBER))
        positions = [name for name in _POSITIONS if given.get(name)]
        if len(positions) > 1:
            raise BadQuery(f"give one of {' and '.join(positions)}, not both")
        return await self._placed(query, request, positions[0] if positions else None)

    async def _task(self, given: str | None) -> str | None:
        if given and self._resolve is not None:
            return await self._resolve(given)
        return None

    async def _placed(
        self, query: EventQuery, request: web.Request, position: str | None
    ) -> _Beginning:
        """By `after`, `since` or `last`; else a stream begins with what comes, a page at the
        beginning of the record."""
        text = request.query.get(position or "", "")
        match position:
            case "after":
                return await self._resumed(query, _number("after", text, 0, _MAX_NUMBER))
            case "since":
                return _Beginning(replace(query, after=await self._store.position_at(_since(text))))
            case "last":
                return await self._newest(query, _number("last", text, 0, _MAX_LIMIT))
            case _:
                after = await self._store.last_event() if _follows(request) else 0
                return _Beginning(replace(query, after=after))

    async def _newest(self, query: EventQuery, count: int) -> _Beginning:
        end = await self._store.last_event()
        newest = await self._store.newest_events(replace(query, limit=count)) if count else ()
        after = newest[0].event.seq - 1 if newest else end
        return _Beginning(replace(query, after=after, limit=max(query.limit, count)))

    async def _resumed(self, query: EventQuery, after: int) -> _Beginning:
        """Go on after a number, and say so if there was something that is no more."""
        page = await self._store.events_after(replace(query, after=after, limit=1))
        if after > page.last:
            return _Beginning(
                replace(query, after=0),
                {"kind": "gap", "after": after, "pruned": None, "reason": _ANOTHER_RECORD},
            )
        if 0 < after < page.pruned:
            return _Beginning(
                replace(query, after=after),
                {"kind": "gap", "after": after, "pruned": page.pruned, "reason": _PRUNED},
            )
        return _Beginning(replace(query, after=after))

    async def _stream(self, request: web.Request, beginning: _Beginning) -> web.StreamResponse:
        query = replace(beginning.query, limit=_AT_ONCE)
        await self._store.events_after(query)  # a store in trouble is said with a status
        response = web.StreamResponse(headers=_HEADERS)
        with self._followers.following(lambda: _is_gone(request)) as follower:
            try:
                await response.prepare(request)
                if beginning.gap is not None:
                    await self._send(response, f"event: gap\ndata: {_line(beginning.gap)}\n\n")
                await self._send(response, f": events after {query.after}\n\n")
                await self._follow(response, follower, query)
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
            except (ConnectionError, StoreError) as error:
                _log.debug("a stream of events ends: %s", error)  # its client may resume
        return response

    async def _follow(
        self, response: web.StreamResponse, follower: Follower, query: EventQuery
    ) -> None:
        while not follower.over:
            follower.up_to_date()
            page = await self._store.events_after(query)
            query = replace(query, after=page.upto)
            await self._send(response, _events(page.events))
            if page.more:
                continue
            if await follower.wait(self._heartbeat_s):
                await asyncio.sleep(_COMPANY_S)
            else:
                await self._send(response, ": heartbeat\n\n")

    async def _send(self, response: web.StreamResponse, text: str) -> None:
        if text:
            async with asyncio.timeout(self._taken_within_s):
                await response.write(text.encode())


def _is_gone(request: web.Request) -> bool:
    """Whether nobody is there any more who may be told."""
    standing = request.get(STANDING)
    return request.transport is None or (standing is not None and not standing.lasts())


def _events(events: Iterable[ToldEvent]) -> str:
    return "".join(
        f"id: {told.event.seq}\nevent: {told.event.kind}\ndata: {_line(told_json(told))}\n\n"
        for told in events
    )


def told_json(told: ToldEvent) -> dict[str, Any]:
    """An event, flat, with whose it is."""
    return {
        **asdict(told.event),
        "detail": dict(told.event.detail),
        "agent_name": told.agent_name,
        "session_id": told.session_id,
        "upstream": told.upstream,
    }


def _line(value: Any) -> str:
    return json.dumps(value)


def _json(value: Any) -> web.Response:
    return web.Response(body=_line(value).encode(), content_type="application/json")


def _follows(request: web.Request) -> bool:
    text = request.query.get("follow", "").lower()
    if text in ("true", "1", "yes"):
        return True
    if text in ("false", "0", "no"):
        return False
    if text:
        raise BadQuery(f"follow: '{text[:80]}' is neither true nor false")
    return "application/json" not in request.headers.get("Accept", "").lower()


def _number(name: str, text: str, least: int, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not least <= number <= most:
        raise BadQuery(f"{name}: '{text[:80]}' is not a number from {least} to {most}")
    return number


def _since(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise BadQuery(f"since: '{text[:80]}' is not an ISO-8601 time") from error
