"""`/v1/report`: how agents did, and what to make of it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from ..core.model import timestamp
from ..core.report import ReportQuery
from ..core.report_advice import BREAK_EVEN
from ..core.report_words import report_words
from ..core.units import duration
from ..errors import BadQuery
from ..ports import Clock, Store
from ..service import Service
from . import admin_query as query
from .admin_json import answer

UpToDate = Callable[[], Awaitable[None]]

_FILTERS = frozenset({"since", "agent", "upstream", "session", "break_even"})
_USUAL = timedelta(days=7)
_MOST_EVEN = timedelta(hours=24)


class ReportRoutes:
    """The handler; `register` adds it."""

    def __init__(self, *, service: Service, store: Store, clock: Clock) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._up_to_date: UpToDate
        self._one_at_a_time = asyncio.Lock()
        """A report keeps a reader of the store busy for seconds where much is on record, and
        supervisors' requests need readers, too."""

    def register(self, app: web.Application, up_to_date: UpToDate) -> None:
        """`up_to_date` lets the books catch up with what just happened, refusals included."""
        self._up_to_date = up_to_date
        app.router.add_get("/v1/report", self.report)

    async def report(self, request: web.Request) -> web.Response:
        """Of the last seven days, unless `since` says otherwise."""
        given = request.query
        query.known(given, _FILTERS)
        now = self._clock.now()
        asked = ReportQuery(
            since=query.moment("since", given.get("since")) or timestamp(now - _USUAL),
            now=timestamp(now),
            agent_name=given.get("agent") or None,
            upstream=given.get("upstream") or None,
            session_id=given.get("session") or None,
        )
        break_even = _break_even(given.get("break_even"))
        await self._up_to_date()
        async with self._one_at_a_time:
            found = await self._store.report(asked)
        return answer(report_words(found, asked, self._service.policy, break_even))


def _break_even(text: str | None) -> timedelta:
    if not text:
        return BREAK_EVEN
    try:
        found = duration(text)
    except ValueError as error:
        raise BadQuery(f"break_even: {str(error)[:200]}") from error
    if found > _MOST_EVEN:
        raise BadQuery("break_even: a day is the most")
    return found
