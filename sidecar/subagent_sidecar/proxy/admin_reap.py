"""The reaper by hand: what it would end, and ending it now."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from ..core.candidates import Planned, Reap, Reaped
from ..core.policy import Mode
from ..errors import BadQuery
from ..ports import Reaping
from . import admin_query as query
from .admin_cancel import wait_in
from .admin_json import answer, json_body

_WAIT_S = 20.0


class ReapRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, reaping: Reaping) -> None:
        self._reaping = reaping

    def register(self, app: web.Application) -> None:
        app.router.add_post("/v1/reap", self.reap)

    async def reap(self, request: web.Request) -> web.Response:
        """With `dry_run` the plan; without, what became of it."""
        query.known(request.query, frozenset({"dry_run"}))
        body = await json_body(request, frozenset({"wait_s"}))
        wait_s = wait_in(body.get("wait_s", _WAIT_S))
        if _dry_run(request):
            planned = await self._reaping.planned()
            return self._answer(True, [_planned_json(each) for each in planned])
        done = await self._reaping.reap(wait_s=wait_s)
        return self._answer(False, [_done_json(each) for each in done])

    def _answer(self, dry_run: bool, reaps: Sequence[dict[str, Any]]) -> web.Response:
        interval_s = self._reaping.interval_s
        return answer({"dry_run": dry_run, "reap_interval_s": interval_s, "reaps": reaps})


def only_asks(request: web.Request) -> bool:
    """Whether nothing will be ended by it."""
    try:
        return _dry_run(request)
    except BadQuery:
        return False


def _dry_run(request: web.Request) -> bool:
    return query.truth("dry_run", request.query.get("dry_run", "false"))


def _reap_json(reap: Reap) -> dict[str, Any]:
    return {
        "task_id": reap.task_id,
        "agent_name": reap.agent_name,
        "session_id": reap.session_id,
        "supervisor": reap.supervisor,
        "upstream": reap.upstream,
        "status": reap.status.value,
        "run_id": reap.run_id,
        "rule": reap.rule,
        "policy": reap.policy or None,
        "mode": reap.mode.value,
        "key": reap.key.value,
        "action": reap.action.value,
        "evidence": reap.evidence,
    }


def _planned_json(planned: Planned) -> dict[str, Any]:
    untold = {"outcome": None, "over": False, "detail": planned.held}
    return {**_reap_json(planned.reap), "held": planned.held is not None, **untold}


def _done_json(done: Reaped) -> dict[str, Any]:
    told = {**_reap_json(done.reap), "held": False, "over": False}
    if done.end is not None:
        end = done.end
        return {**told, "outcome": end.told, "over": end.over, "detail": end.detail}
    if done.reap.ends:
        return {**told, "outcome": "not ended", "detail": done.why}
    observed = done.reap.mode is Mode.OBSERVE
    return {**told, "outcome": "observed" if observed else "left to itself", "detail": None}
