"""The admin plane's sessions: what supervisors' conversations have running, and ending one."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from ..core.model import EndedBy, Timestamp, timestamp
from ..core.sessions import SessionKey, SessionPosition, SessionQuery
from ..errors import AmbiguousSession, BadQuery, SessionNotFound
from ..ports import Clock, Store
from ..service import Service
from . import admin_query as query
from .admin_about import came_to
from .admin_json import answer, json_body
from .session_json import end_json, reason_in, session_json

UpToDate = Callable[[], Awaitable[None]]

_FILTERS = frozenset({"session", "supervisor", "agent", "upstream", "all", "limit", "cursor"})
_RECENT = timedelta(hours=1)
_MAX_LIMIT = 1_000
_MIN_FRAGMENT = 4


class SessionRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, service: Service, store: Store, clock: Clock) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._up_to_date: UpToDate

    def register(self, app: web.Application, up_to_date: UpToDate) -> None:
        """`up_to_date` lets the books catch up with what just happened."""
        self._up_to_date = up_to_date
        app.router.add_get("/v1/sessions", self.listed)
        app.router.add_post("/v1/sessions/{session_id}/end", self.end)

    async def listed(self, request: web.Request) -> web.Response:
        """Those with live tasks first, then by the last sign of life."""
        asked = self._query(request)
        await self._up_to_date()
        page = await self._store.sessions(asked)
        now, policy = self._clock.now(), self._service.policy
        return answer(
            {
                "sessions": [session_json(line, policy, now) for line in page.sessions],
                "next_cursor": query.cursor(page.next_after),
            }
        )

    def _query(self, request: web.Request) -> SessionQuery:
        given = request.query
        query.known(given, _FILTERS)
        named = given.get("session")
        everything = query.truth("all", given.get("all", "false"))
        return SessionQuery(
            session_id=named,
            supervisor=given.get("supervisor"),
            agent_name=given.get("agent"),
            upstream=given.get("upstream"),
            since=None if everything or named is not None else self._recently(),
            after=_position(given.get("cursor")),
            limit=query.number("limit", given.get("limit", "50"), 1, _MAX_LIMIT),
        )

    def _recently(self) -> Timestamp:
        return timestamp(self._clock.now() - _RECENT)

    async def end(self, request: web.Request) -> web.Response:
        """Ends a session for its supervisor, and says what that means for its tasks."""
        query.known(request.query, frozenset({"supervisor"}))
        reason = reason_in(await json_body(request, frozenset({"reason"})))
        await self._up_to_date()
        supervisor, session_id = await self._resolve(
            request.match_info["session_id"], request.query.get("supervisor")
        )
        came_to(request, session_id=session_id, supervisor=supervisor)
        end = await self._service.sessions.end(
            supervisor, session_id, by=EndedBy.OPERATOR, reason=reason
        )
        return answer(end_json(end, self._service.policy))

    async def _resolve(self, given: str, supervisor: str | None) -> SessionKey:
        """The session meant by an id, or by enough of the begin or the end of one that was alive
        within the hour."""
        fits = await self._keys(SessionQuery(session_id=given, supervisor=supervisor, limit=10))
        if not fits and len(given) >= _MIN_FRAGMENT:
            since = self._recently()
            lately = SessionQuery(supervisor=supervisor, since=since, limit=_MAX_LIMIT)
            fits = [
                key
                for key in await self._keys(lately)
                if key[1].startswith(given) or key[1].endswith(given)
            ]
        if not fits:
            raise SessionNotFound(f"nothing is on record of a session '{given[:80]}'")
        if len(fits) > 1:
            raise AmbiguousSession(
                f"'{given[:80]}' fits several sessions; give all of the id, and the supervisor",
                candidates=fits[:10],
            )
        return fits[0]

    async def _keys(self, asked: SessionQuery) -> list[SessionKey]:
        return [line.key for line in (await self._store.sessions(asked)).sessions]


def _position(text: str | None) -> SessionPosition | None:
    found: Any = query.position(text)
    if found is None:
        return None
    match found:
        case [bool() as live, str() as at, str() as supervisor, str() as session_id] if all(
            map(_storable, (at, supervisor, session_id))
        ):
            return live, at, supervisor, session_id
    raise BadQuery("cursor: not one of ours; start again without it")


def _storable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
