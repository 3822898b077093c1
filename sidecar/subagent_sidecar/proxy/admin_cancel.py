"""The admin plane's cancels: of one task, and of many."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ..core.cancel import TaskEnd, operators_reason
from ..core.model import LIVE, EndedBy, TaskQuery
from ..errors import BadBody
from ..ports import Store, TaskEnder
from .admin_about import came_to
from .admin_json import answer, json_body

Resolve = Callable[[str], Awaitable[str]]
"""The id meant by an id or a part of one. Raises TaskNotFound, AmbiguousTask."""

_WAIT_S = 60.0
_LONGEST_WAIT_S = 600.0
_AT_ONCE = 1_000
_SELECTORS = ("session", "agent", "upstream", "supervisor")
_HOW = frozenset({"reason", "wait_s"})
_WHICH = frozenset({*_SELECTORS, "task_ids", "all"})


@dataclass(frozen=True, slots=True)
class _How:
    """What holds for every task of a request."""

    reason: str
    wait_s: float


class CancelRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, ender: TaskEnder, store: Store) -> None:
        self._ender = ender
        self._store = store
        self._resolve: Resolve
        self._up_to_date: Callable[[], Awaitable[None]]

    def register(
        self,
        app: web.Application,
        resolve: Resolve,
        up_to_date: Callable[[], Awaitable[None]],
    ) -> None:
        """`up_to_date` lets the books catch up with what just happened."""
        self._resolve = resolve
        self._up_to_date = up_to_date
        app.router.add_post("/v1/tasks/{task_id}/cancel", self.cancel)
        app.router.add_post("/v1/cancel", self.cancel_many)

    async def cancel(self, request: web.Request) -> web.Response:
        """One task, by its id or a part of it."""
        how = _how(await json_body(request, _HOW))
        await self._up_to_date()
        task_id = await self._resolve(request.match_info["task_id"])
        came_to(request, task_id=task_id)
        return answer(end_json(await self._end(task_id, how)))

    async def cancel_many(self, request: web.Request) -> web.Response:
        """The live tasks that a selector fits, at most a thousand; or those that are named."""
        body = await json_body(request, _HOW | _WHICH)
        how = _how(body)
        await self._up_to_date()
        task_ids, more = await self._chosen(body)
        came_to(request, task_ids=task_ids, count=len(task_ids))
        ends = await asyncio.gather(*(self._end(task_id, how) for task_id in task_ids))
        return answer({"tasks": [end_json(end) for end in ends], "more": more})

    async def _end(self, task_id: str, how: _How) -> TaskEnd:
        return await self._ender.end_task(
            task_id, by=EndedBy.OPERATOR, reason=how.reason, wait_s=how.wait_s
        )

    async def _chosen(self, body: Mapping[str, Any]) -> tuple[list[str], bool]:
        """The ids of what is to end, and whether there is more of it."""
        chosen = {name: value for name in _SELECTORS if (value := _name(body, name)) is not None}
        named = body.get("task_ids")
        everything = body.get("all", False)
        if not isinstance(everything, bool):
            raise BadBody("all: must be true or false")
        if (named is not None) + bool(chosen) + everything != 1:
            raise BadBody(
                f"say which tasks, in one way: task_ids, all: true, or any of {_list(_SELECTORS)}"
            )
        if named is not None:
            return [await self._resolve(part) for part in _parts(named)], False
        page = await self._store.tasks(
            TaskQuery(
                session_id=chosen.get("session"),
                agent_name=chosen.get("agent"),
                upstream=chosen.get("upstream"),
                supervisor=chosen.get("supervisor"),
                statuses=LIVE,
                limit=_AT_ONCE,
            )
        )
        found = [record.task.task_id for record in page.records]
        return found, page.next_after is not None


def end_json(end: TaskEnd) -> dict[str, Any]:
    """What a caller is told of one task. `over` is false where something may still go on."""
    return {
        "task_id": end.task_id,
        "outcome": end.told,
        "over": end.over,
        "status": end.status.value,
        "run_id": end.run_id,
        "detail": end.detail,
    }


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise BadBody(f"{key}: must be text")
    return value


def _name(body: Mapping[str, Any], key: str) -> str | None:
    """What is to be looked for; empty (some variable was not set) it would fit everything."""
    value = _text(body, key)
    if value is not None and not (value and _storable(value)):
        raise BadBody(f"{key}: must be a name, not empty; leave it out where it plays no part")
    return value


def _storable(text: str) -> bool:
    """Whether the store can be asked for it: JSON can say halves of characters."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _how(body: Mapping[str, Any]) -> _How:
    reason = operators_reason(_text(body, "reason"))
    return _How(reason=reason, wait_s=wait_in(body.get("wait_s", _WAIT_S)))


def _parts(given: Any) -> list[str]:
    """Ids as given, each once."""
    if not isinstance(given, list) or not all(isinstance(part, str) for part in given):
        raise BadBody("task_ids: must be a list of ids")
    if not all(map(_storable, given)):
        raise BadBody("task_ids: one of them is not text")
    if len(given) > _AT_ONCE:
        raise BadBody(f"task_ids: at most {_AT_ONCE:,} at once")
    return list(dict.fromkeys(given))


def wait_in(given: Any) -> float:
    """A number of seconds that somebody may wait for an end."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise BadBody("wait_s: must be a number of seconds")
    if not 0 <= given <= _LONGEST_WAIT_S:
        raise BadBody(f"wait_s: must be from 0 to {_LONGEST_WAIT_S:g}")
    return float(given)


def _list(words: Any) -> str:
    return ", ".join(words)
