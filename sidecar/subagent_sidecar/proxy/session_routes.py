"""What supervisors tell of their sessions, and ask about them, on the data plane."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from ..core.admission import is_default
from ..core.model import EndedBy, timestamp
from ..core.sessions import (
    SessionLine,
    SessionQuery,
    heartbeat_every,
    lease_length,
    terms,
)
from ..core.storable import name, storable
from ..errors import BadBody, NoSuchRoute, SessionNotFound, SharedSession
from ..ports import Clock, Store
from ..service import Service
from . import answering
from .incoming import Limits, read
from .request import DataRequest
from .session_json import end_json, reason_in, session_json

PREFIX = "/sidecar/sessions/"

_PATH = re.compile(re.escape(PREFIX) + r"([^/]+)(?:/(heartbeat|end))?")
_JSON = [(b"content-type", b"application/json")]
_MAX_BODY = 64 * 1024
_SHORTEST_S, _LONGEST_S = 10, 86_400


class SessionRoutes:
    """Heartbeats and ends, by the supervisors whose sessions they are."""

    def __init__(self, *, service: Service, store: Store, clock: Clock, limits: Limits) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._limits = replace(limits, max_body=_MAX_BODY, inspect_limit=_MAX_BODY)
        self._routes: Mapping[
            tuple[str, str | None], Callable[[str, DataRequest], Awaitable[dict[str, Any]]]
        ] = {
            ("POST", "heartbeat"): self._heartbeat,
            ("POST", "end"): self._end,
            ("GET", None): self._shown,
        }

    async def serve(self, request: DataRequest, raw_path: str) -> web.StreamResponse:
        """`raw_path` begins with PREFIX. The session's name is decoded once, and cut where headers
        and bodies have it cut."""
        found = _PATH.fullmatch(raw_path)
        session_id = None if found is None else name(unquote(found[1], errors="replace"))
        route = None if found is None else self._routes.get((request.method, found[2]))
        if session_id is None or route is None:
            raise NoSuchRoute(
                f"the sidecar has no {request.method} {raw_path[:200]}; of a session there are "
                "GET .../sessions/ID, POST .../sessions/ID/heartbeat and POST .../sessions/ID/end"
            )
        if found is not None and found[2] is not None:
            _refuse_shared(session_id)
        told = await route(session_id, request)
        return answering.send(request, 200, _JSON, json.dumps(told).encode())

    async def _heartbeat(self, session_id: str, request: DataRequest) -> dict[str, Any]:
        """Renews a lease, and says how long it is and when to come again."""
        body = await self._body(request, frozenset({"lease_s", "reopen"}))
        asked, reopen = _lease_s(body), _flag(body, "reopen")
        supervisor = request.principal.supervisor
        at = await self._service.sessions.beat(supervisor, session_id, lease_s=asked, reopen=reopen)
        settings = terms(self._service.policy, supervisor, session_id)
        length = lease_length(asked, settings)
        until = None if length is None else timestamp(datetime.fromisoformat(at) + length)
        return {
            "session_id": session_id,
            "supervisor": supervisor,
            "lease_s": _seconds(length),
            "expires_at": until,
            "heartbeat_s": _seconds(heartbeat_every(settings, length)),
        }

    async def _end(self, session_id: str, request: DataRequest) -> dict[str, Any]:
        """Ends a session, however often it is said, and says what that means for its tasks."""
        reason = reason_in(await self._body(request, frozenset({"reason"})))
        request.hold()  # whoever says that it ends may well be gone before the answer
        end = await self._service.sessions.end(
            request.principal.supervisor, session_id, by=EndedBy.SUPERVISOR, reason=reason
        )
        request.let_go()
        return end_json(end, self._service.policy)

    async def _shown(self, session_id: str, request: DataRequest) -> dict[str, Any]:
        """How the session stands."""
        line = await self._line(request.principal.supervisor, session_id)
        return session_json(line, self._service.policy, self._clock.now())

    async def _line(self, supervisor: str, session_id: str) -> SessionLine:
        await self._service.entered()
        page = await self._store.sessions(
            SessionQuery(session_id=session_id, supervisor=supervisor, limit=1)
        )
        if not page.sessions:
            raise SessionNotFound(
                f"nothing is on record of session '{session_id[:80]}': it started no task, and "
                "sent no heartbeat"
            )
        return page.sessions[0]

    async def _body(self, request: DataRequest, known: frozenset[str]) -> dict[str, Any]:
        """The object in the body, empty for none."""
        whole = (await read(request, self._limits, understand=True)).whole
        try:
            body = json.loads(whole or b"{}")
        except (ValueError, RecursionError) as error:
            raise BadBody("the body is not JSON") from error
        if not isinstance(body, dict):
            raise BadBody("the body must be a JSON object, or empty")
        for unknown in body.keys() - known:
            raise BadBody(
                f"'{storable(unknown)[:80]}' is not known here; there are: "
                f"{', '.join(sorted(known))}"
            )
        return body


def _refuse_shared(session_id: str) -> None:
    """One supervisor's end, or lapsed lease, would be that of everybody who names no session."""
    if is_default(session_id):
        raise SharedSession(
            f"session '{session_id[:80]}' is shared by all that name none, so it is nobody's to "
            "lease or end: name a session of your own with the header x-subagent-session"
        )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _lease_s(body: Mapping[str, Any]) -> int | None:
    value = body.get("lease_s")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadBody("lease_s: must be a whole number of seconds")
    if not _SHORTEST_S <= value <= _LONGEST_S:
        raise BadBody(f"lease_s: must be from {_SHORTEST_S} to {_LONGEST_S:,} seconds")
    return value


def _flag(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise BadBody(f"{key}: must be true or false")
    return value
