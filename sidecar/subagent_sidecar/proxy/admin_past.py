"""What was started and what was refused, page by page: what a policy can be replayed over."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ..core.decisions import Verdict
from ..core.past import DecisionQuery, StartQuery
from ..core.past_words import decision_words, start_words
from ..errors import BadQuery
from ..ports import Store
from . import admin_query as query
from .admin_json import answer

UpToDate = Callable[[], Awaitable[None]]

_STARTS = frozenset({"since", "after", "limit"})
_DECISIONS = frozenset({"task", "session", "agent", "verdict", "since", "order", "cursor", "limit"})
_MOST_STARTS, _MOST_DECISIONS = 2_000, 1_000
_ORDERS = {"newest": False, "oldest": True}


class PastRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._up_to_date: UpToDate | None = None

    def register(self, app: web.Application, up_to_date: UpToDate) -> None:
        self._up_to_date = up_to_date
        app.router.add_get("/v1/starts", self.starts)
        app.router.add_get("/v1/decisions", self.decisions)

    async def starts(self, request: web.Request) -> web.Response:
        """Runs in the order in which their tasks were made; those of a task stand together."""
        given = request.query
        query.known(given, _STARTS)
        after = query.texts(given.get("after"), 3)
        asked = StartQuery(
            since=query.moment("since", given.get("since")),
            after=None if after is None else (after[0], after[1], after[2]),
            limit=query.number("limit", given.get("limit", "1000"), 1, _MOST_STARTS),
        )
        if self._up_to_date is not None:
            await self._up_to_date()
        page = await self._store.starts(asked)
        return answer(
            {
                "starts": [start_words(start) for start in page.starts],
                "next_after": query.cursor(page.next_after),
                "whole_from": page.whole_from,
            }
        )

    async def decisions(self, request: web.Request) -> web.Response:
        """What spoke against starts."""
        given = request.query
        query.known(given, _DECISIONS)
        asked = DecisionQuery(
            thread_id=given.get("task") or None,
            session=given.get("session") or None,
            agent=given.get("agent") or None,
            verdict=_verdict(given.get("verdict")),
            since=query.moment("since", given.get("since")),
            oldest_first=_oldest_first(given.get("order", "newest")),
            after=query.count(given.get("cursor")),
            limit=query.number("limit", given.get("limit", "50"), 1, _MOST_DECISIONS),
        )
        if self._up_to_date is not None:
            await self._up_to_date()
        page = await self._store.decisions(asked)
        return answer(
            {
                "decisions": [decision_words(decision) for decision in page.decisions],
                "next_cursor": query.cursor(page.next_after),
            }
        )


def _verdict(text: str | None) -> Verdict | None:
    if not text:
        return None
    try:
        return Verdict(text)
    except ValueError as error:
        there_are = ", ".join(verdict.value for verdict in Verdict)
        raise BadQuery(f"verdict: '{text[:80]}' is none of {there_are}") from error


def _oldest_first(text: str) -> bool:
    if text not in _ORDERS:
        raise BadQuery(f"order: '{text[:80]}' is none of {', '.join(_ORDERS)}")
    return _ORDERS[text]
